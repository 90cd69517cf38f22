//! The counters of a server under names for monitoring, and as a page for Prometheus.

use ws_proto::{CloseCode, Traffic};

use super::totals::{HandshakeFailure, ServerStats};
use crate::metric::Metric;

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
        Metric::to_prometheus(&self.metrics())
    }

    /// The counters by name, for other systems. Those of one name stand together.
    pub fn metrics(&self) -> Vec<Metric> {
        let mut all = vec![
            Metric::gauge("websocket.server.connections.active", "Open connections", self.open),
            Metric::gauge("websocket.server.handshakes.active", "Opening handshakes in progress", self.handshakes),
            Metric::count("websocket.server.connections.opened", "Connections that were opened", self.opened),
        ];
        for end in &self.ends {
            let code = end.code.map_or_else(|| "other".to_owned(), |code: CloseCode| u16::from(code).to_string());
            let (name, help) = ("websocket.server.connections.closed", "Connections that have ended");
            let ended = Metric::count(name, help, end.connections);
            all.push(ended.label("websocket.closed_by", end.by.to_string()).label("websocket.close.code", code));
        }
        let is_answer = |reason| matches!(reason, HandshakeFailure::Answered(_));
        for failed in self.failed_handshakes.iter().filter(|failed| !is_answer(failed.reason)) {
            let (name, help) = ("websocket.server.handshakes.failed", "Opening handshakes that failed");
            all.push(Metric::count(name, help, failed.handshakes).label("error.type", failed.reason.to_string()));
        }
        for answered in self.failed_handshakes.iter().filter(|failed| is_answer(failed.reason)) {
            let (name, help) = ("websocket.server.requests.answered", "Requests that a hook or a route answered");
            let answers = Metric::count(name, help, answered.handshakes);
            all.push(answers.label("http.response.status_code", answered.reason.to_string()));
        }
        self.add_traffic(&mut all, |traffic| Metric::count("websocket.server.messages", "Messages", traffic.messages));
        self.add_traffic(&mut all, |traffic| {
            Metric::count("websocket.server.frames", "Frames, control frames included", traffic.frames)
        });
        self.add_traffic(&mut all, |traffic| {
            Metric::bytes("websocket.server.payload.io", "Bytes of messages", traffic.payload_bytes)
        });
        self.add_traffic(&mut all, |traffic| {
            Metric::bytes("websocket.server.network.io", "Bytes of frames", traffic.wire_bytes)
        });
        self.add_traffic(&mut all, |traffic| {
            let (name, help) = ("websocket.server.compressed.io", "Compressed payloads, compressed");
            Metric::bytes(name, help, traffic.compressed_bytes)
        });
        self.add_traffic(&mut all, |traffic| {
            let (name, help) = ("websocket.server.uncompressed.io", "Compressed payloads, without compression");
            Metric::bytes(name, help, traffic.uncompressed_bytes)
        });
        all
    }

    fn add_traffic(&self, all: &mut Vec<Metric>, metric: impl Fn(&Traffic) -> Metric) {
        for (direction, traffic) in [("receive", &self.traffic.received), ("transmit", &self.traffic.sent)] {
            all.push(metric(traffic).label("network.io.direction", direction));
        }
    }
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
