//! The counters of a server under names for monitoring, and as a page for Prometheus.

use std::fmt::Write as _;

use ws_proto::{CloseCode, Traffic};

use super::totals::{HandshakeFailure, ServerStats};

/// A value with its name and its labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    /// The name, in words separated by dots, as OpenTelemetry writes them.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The meaning, for people.
    pub(crate) help: &'static str,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: u64,
}

/// The kind of a metric, and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number that also shrinks.
    Gauge,
    /// A number of things.
    Count,
    /// A number of bytes.
    Bytes,
}

impl ServerStats {
    /// The counters as a page for Prometheus, in its text format 0.0.4. Answer `GET /metrics` with it, and with
    /// `Content-Type: text/plain; version=0.0.4`.
    ///
    /// Names and labels are those of the table at `ServerHandle::record_metrics` (feature `metrics`), as OpenTelemetry
    /// translates them for Prometheus: `_` in place of `.`, `_bytes` for the unit, and `_total` behind counters. So
    /// `websocket.server.network.io` becomes `websocket_server_network_io_bytes_total`.
    ///
    /// ```
    /// let page = ws_session::ServerStats::default().to_prometheus();
    /// assert!(page.contains("\nwebsocket_server_connections_active 0\n"));
    /// assert!(page.contains("\nwebsocket_server_messages_total{network_io_direction=\"receive\"} 0\n"));
    /// ```
    pub fn to_prometheus(&self) -> String {
        let mut page = String::new();
        let mut last = "";
        for metric in self.metrics() {
            let suffix = match metric.kind {
                Kind::Gauge => "",
                Kind::Count => "_total",
                Kind::Bytes => "_bytes_total",
            };
            let name = metric.name.replace('.', "_") + suffix;
            if last != metric.name {
                last = metric.name;
                let kind = if metric.kind == Kind::Gauge { "gauge" } else { "counter" };
                // Writing to a string does not fail.
                let _ = write!(page, "# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
            }
            page.push_str(&name);
            for (n, (label, value)) in metric.labels.iter().enumerate() {
                let open = if n == 0 { '{' } else { ',' };
                let _ = write!(page, "{open}{}=\"{value}\"", label.replace('.', "_"));
            }
            let close = if metric.labels.is_empty() { "" } else { "}" };
            let _ = writeln!(page, "{close} {}", metric.value);
        }
        page
    }

    /// The counters by name. Those of one name stand together.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let mut all = vec![
            gauge("websocket.server.connections.active", "Open connections", self.open as u64),
            gauge("websocket.server.handshakes.active", "Opening handshakes in progress", self.handshakes as u64),
            count("websocket.server.connections.opened", "Connections that were opened", vec![], self.opened),
        ];
        for end in &self.ends {
            let code = end.code.map_or_else(|| "other".to_owned(), |code: CloseCode| u16::from(code).to_string());
            let labels = vec![("websocket.closed_by", end.by.to_string()), ("websocket.close.code", code)];
            let (name, help) = ("websocket.server.connections.closed", "Connections that have ended");
            all.push(count(name, help, labels, end.connections));
        }
        let is_answer = |reason| matches!(reason, HandshakeFailure::Answered(_));
        for failed in self.failed_handshakes.iter().filter(|failed| !is_answer(failed.reason)) {
            let labels = vec![("error.type", failed.reason.to_string())];
            let (name, help) = ("websocket.server.handshakes.failed", "Opening handshakes that failed");
            all.push(count(name, help, labels, failed.handshakes));
        }
        for answered in self.failed_handshakes.iter().filter(|failed| is_answer(failed.reason)) {
            let labels = vec![("http.response.status_code", answered.reason.to_string())];
            let (name, help) = ("websocket.server.requests.answered", "Requests that a hook or a route answered");
            all.push(count(name, help, labels, answered.handshakes));
        }
        self.add_traffic(&mut all, "websocket.server.messages", "Messages", Kind::Count, |traffic| traffic.messages);
        let help = "Frames, control frames included";
        self.add_traffic(&mut all, "websocket.server.frames", help, Kind::Count, |traffic| traffic.frames);
        let help = "Bytes of messages";
        self.add_traffic(&mut all, "websocket.server.payload.io", help, Kind::Bytes, |traffic| traffic.payload_bytes);
        let help = "Bytes of frames";
        self.add_traffic(&mut all, "websocket.server.network.io", help, Kind::Bytes, |traffic| traffic.wire_bytes);
        let (name, help) = ("websocket.server.compressed.io", "Compressed payloads, compressed");
        self.add_traffic(&mut all, name, help, Kind::Bytes, |traffic| traffic.compressed_bytes);
        let (name, help) = ("websocket.server.uncompressed.io", "Compressed payloads, without compression");
        self.add_traffic(&mut all, name, help, Kind::Bytes, |traffic| traffic.uncompressed_bytes);
        all
    }

    fn add_traffic(
        &self,
        all: &mut Vec<Metric>,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        value: impl Fn(&Traffic) -> u64,
    ) {
        for (direction, traffic) in [("receive", &self.traffic.received), ("transmit", &self.traffic.sent)] {
            let labels = vec![("network.io.direction", direction.to_owned())];
            all.push(Metric { name, kind, help, labels, value: value(traffic) });
        }
    }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, kind: Kind::Gauge, help, labels: vec![], value }
}

fn count(name: &'static str, help: &'static str, labels: Vec<(&'static str, String)>, value: u64) -> Metric {
    Metric { name, kind: Kind::Count, help, labels, value }
}

#[cfg(test)]
mod tests {
    use ws_proto::ClosedBy;

    use super::*;
    use crate::registry::{Ends, FailedHandshakes};

    #[test]
    fn a_page_has_each_name_once_and_a_line_for_each_value() {
        let mut stats = ServerStats { open: 2, opened: 5, ended: 3, ..ServerStats::default() };
        let end = |by, code, connections| Ends { by, code, connections };
        stats.ends = vec![end(ClosedBy::Peer, Some(1000.into()), 2), end(ClosedBy::Us, None, 1)];
        let failed = |reason, handshakes| FailedHandshakes { reason, handshakes };
        stats.failed_handshakes =
            vec![failed(HandshakeFailure::Answered(http::StatusCode::OK), 7), failed(HandshakeFailure::Timeout, 1)];
        (stats.traffic.sent.wire_bytes, stats.traffic.received.messages) = (1234, 9);
        let page = stats.to_prometheus();
        for lines in [
            "# HELP websocket_server_connections_active Open connections\n\
             # TYPE websocket_server_connections_active gauge\nwebsocket_server_connections_active 2\n",
            "# TYPE websocket_server_connections_closed_total counter\n\
             websocket_server_connections_closed_total{websocket_closed_by=\"peer\",websocket_close_code=\"1000\"} 2\n\
             websocket_server_connections_closed_total{websocket_closed_by=\"us\",websocket_close_code=\"other\"} 1\n",
            "websocket_server_handshakes_failed_total{error_type=\"timeout\"} 1\n",
            "websocket_server_requests_answered_total{http_response_status_code=\"200\"} 7\n",
            "websocket_server_messages_total{network_io_direction=\"receive\"} 9\n",
            "websocket_server_network_io_bytes_total{network_io_direction=\"transmit\"} 1234\n",
        ] {
            assert!(page.contains(lines), "{lines}is missing in\n{page}");
        }
        let mut helps: Vec<_> = page.lines().filter(|line| line.starts_with("# HELP")).collect();
        let count = helps.len();
        helps.sort_unstable();
        helps.dedup();
        assert_eq!((helps.len(), count), (12, 12));
    }
}
