//! The counters of a hub under names for monitoring, and as a page for Prometheus.

use std::fmt::Write as _;

use super::HubStats;
use crate::publication::{GapCause, Unrecoverable};

/// A value with its name, and its label if it has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    /// The name, in words separated by dots, as OpenTelemetry writes them.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The meaning, for people.
    pub(crate) help: &'static str,
    pub(crate) label: Option<(&'static str, &'static str)>,
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

impl HubStats {
    /// The counters as a page for Prometheus, in its text format 0.0.4. It can follow the page of a server
    /// ([`ServerStats::to_prometheus`](ws_session::ServerStats::to_prometheus)): they have no name in common.
    ///
    /// Names are those of the table at `Hub::record_metrics` (feature `metrics`), with `_` in place of `.`, `_bytes` for the unit,
    /// and `_total` behind counters.
    ///
    /// ```
    /// let page = ws_hub::HubStats::default().to_prometheus();
    /// assert!(page.contains("\nwebsocket_hub_subscriptions_active 0\n"));
    /// assert!(page.contains("\nwebsocket_hub_publications_total{outcome=\"accepted\"} 0\n"));
    /// ```
    pub fn to_prometheus(&self) -> String {
        let mut page = String::new();
        let mut last = "";
        for Metric { name, kind, help, label, value } in self.metrics() {
            let (suffix, kind) = match kind {
                Kind::Gauge => ("", "gauge"),
                Kind::Count => ("_total", "counter"),
                Kind::Bytes => ("_bytes_total", "counter"),
            };
            let full = name.replace('.', "_") + suffix;
            // Writing to a string does not fail.
            if std::mem::replace(&mut last, name) != name {
                let _ = write!(page, "# HELP {full} {help}\n# TYPE {full} {kind}\n");
            }
            let _ = match label {
                Some((label, text)) => writeln!(page, "{full}{{{}=\"{text}\"}} {value}", label.replace('.', "_")),
                None => writeln!(page, "{full} {value}"),
            };
        }
        page
    }

    /// The counters by name. Those of one name stand together.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let gauge =
            |name, help, value: usize| Metric { name, kind: Kind::Gauge, help, label: None, value: value as u64 };
        let count = |name, help, value| Metric { name, kind: Kind::Count, help, label: None, value };
        let bytes = |name, help, value| Metric { name, kind: Kind::Bytes, help, label: None, value };
        let mut all = vec![
            gauge("websocket.hub.topics.active", "Topics with subscribers", self.topics),
            gauge("websocket.hub.subscriptions.active", "Subscribers of all topics", self.subscribers),
            gauge("websocket.hub.members.active", "Members with a connection at this instance", self.members),
        ];
        for (outcome, value) in [("accepted", self.accepted), ("refused", self.refused), ("unknown", self.unknown)] {
            let help = "Publications of this instance, by their end";
            all.push(Metric { label: Some(("outcome", outcome)), ..count("websocket.hub.publications", help, value) });
        }
        let help = "Bytes of accepted publications";
        all.push(bytes("websocket.hub.publications.io", help, self.accepted_bytes));
        all.push(count("websocket.hub.deliveries", "Publications that subscribers took", self.delivered));
        all.push(bytes(
            "websocket.hub.deliveries.io",
            "Bytes of publications that subscribers took",
            self.delivered_bytes,
        ));
        all.push(count("websocket.hub.skipped", "Publications that slow subscribers did not take", self.skipped));
        all.push(count("websocket.hub.closed", "Subscriptions that ended as too slow", self.closed));
        for (cause, value) in &self.gaps {
            let help = "Gaps that subscribers were told, by cause";
            all.push(Metric {
                label: Some(("cause", cause_label(*cause))),
                ..count("websocket.hub.gaps", help, *value)
            });
        }
        let help = "Subscriptions with earlier publications, by their end";
        let recovery = |outcome, value| Metric {
            label: Some(("outcome", outcome)),
            ..count("websocket.hub.recoveries", help, value)
        };
        all.push(recovery("recovered", self.recovered));
        all.extend(self.unrecoverable.iter().map(|(reason, value)| recovery(reason_label(*reason), *value)));
        let help = "Earlier publications that subscriptions got";
        all.push(count("websocket.hub.recovered", help, self.recovered_publications));
        all.push(count("websocket.hub.broker.lost", "Times that the broker was lost", self.broker_lost));
        all.push(count(
            "websocket.hub.broker.restored",
            "Times that the broker was reached again",
            self.broker_restored,
        ));
        all.push(count("websocket.hub.history.reads", "Reads of history at the broker", self.history_reads));
        all
    }
}

fn cause_label(cause: GapCause) -> &'static str {
    match cause {
        GapCause::BrokerLost => "broker_lost",
        GapCause::BrokerSilent => "broker_silent",
        GapCause::BrokerOverflow => "broker_overflow",
        GapCause::Unsubscribed => "unsubscribed",
        GapCause::Missed => "missed",
        GapCause::EpochChanged => "epoch_changed",
        GapCause::SlowSubscriber => "slow_subscriber",
        GapCause::Disconnected => "disconnected",
    }
}

fn reason_label(reason: Unrecoverable) -> &'static str {
    match reason {
        Unrecoverable::NoHistory => "no_history",
        Unrecoverable::Epoch { .. } => "epoch",
        Unrecoverable::Expired => "expired",
        Unrecoverable::TooMany => "too_many",
        Unrecoverable::Unknown => "unknown",
        Unrecoverable::Unavailable => "unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_each_name_once_and_a_line_for_each_value() {
        let stats = HubStats {
            topics: 1,
            refused: 2,
            delivered_bytes: 3,
            gaps: vec![(GapCause::Missed, 4), (GapCause::SlowSubscriber, 5)],
            unrecoverable: vec![(Unrecoverable::Epoch { current: None }, 6)],
            ..HubStats::default()
        };
        let page = stats.to_prometheus();
        for lines in [
            "# HELP websocket_hub_topics_active Topics with subscribers\n\
             # TYPE websocket_hub_topics_active gauge\nwebsocket_hub_topics_active 1\n",
            "websocket_hub_publications_total{outcome=\"refused\"} 2\n",
            "# TYPE websocket_hub_deliveries_io_bytes_total counter\nwebsocket_hub_deliveries_io_bytes_total 3\n",
            "websocket_hub_gaps_total{cause=\"missed\"} 4\nwebsocket_hub_gaps_total{cause=\"slow_subscriber\"} 5\n",
            "websocket_hub_recoveries_total{outcome=\"epoch\"} 6\n",
        ] {
            assert!(page.contains(lines), "{lines}is missing in\n{page}");
        }
        let mut helps: Vec<_> = page.lines().filter(|line| line.starts_with("# HELP")).collect();
        let count = helps.len();
        helps.sort_unstable();
        helps.dedup();
        assert_eq!((helps.len(), count), (15, 15));
    }
}
