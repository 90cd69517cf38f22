//! The counters of a hub under names for monitoring, and as a page for Prometheus.

use ws_session::Metric;

use super::HubStats;
use crate::publication::{GapCause, Unrecoverable};

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
        Metric::to_prometheus(&self.metrics())
    }

    /// The counters by name, for other systems. Those of one name stand together.
    pub fn metrics(&self) -> Vec<Metric> {
        let gauge = Metric::gauge;
        let count = Metric::count;
        let bytes = Metric::bytes;
        let publications = |outcome, value| {
            count("websocket.hub.publications", "Publications of this instance, by their end", value)
                .label("outcome", outcome)
        };
        let gaps = |cause, value| {
            count("websocket.hub.gaps", "Gaps that subscribers were told, by cause", value)
                .label("cause", cause_label(cause))
        };
        let recoveries = |outcome, value| {
            count("websocket.hub.recoveries", "Subscriptions with earlier publications, by their end", value)
                .label("outcome", outcome)
        };
        let mut all = vec![
            gauge("websocket.hub.topics.active", "Topics with subscribers", self.topics),
            gauge("websocket.hub.subscriptions.active", "Subscribers of all topics", self.subscribers),
            gauge("websocket.hub.members.active", "Members with a connection at this instance", self.members),
            publications("accepted", self.accepted),
            publications("refused", self.refused),
            publications("unknown", self.unknown),
            bytes("websocket.hub.publications.io", "Bytes of accepted publications", self.accepted_bytes),
            count("websocket.hub.deliveries", "Publications that subscribers took", self.delivered),
            bytes("websocket.hub.deliveries.io", "Bytes of publications that subscribers took", self.delivered_bytes),
            count("websocket.hub.skipped", "Publications that slow subscribers did not take", self.skipped),
            count("websocket.hub.closed", "Subscriptions that ended as too slow", self.closed),
        ];
        all.extend(self.gaps.iter().map(|(cause, value)| gaps(*cause, *value)));
        all.push(recoveries("recovered", self.recovered));
        all.extend(self.unrecoverable.iter().map(|(reason, value)| recoveries(reason_label(*reason), *value)));
        all.extend([
            count(
                "websocket.hub.recovered",
                "Earlier publications that subscriptions got",
                self.recovered_publications,
            ),
            count("websocket.hub.broker.lost", "Times that the broker was lost", self.broker_lost),
            count("websocket.hub.broker.restored", "Times that the broker was reached again", self.broker_restored),
            count("websocket.hub.history.reads", "Reads of history at the broker", self.history_reads),
        ]);
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
