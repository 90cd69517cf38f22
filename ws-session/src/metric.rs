//! [`Metric`]: a counter under a name for monitoring; several as a page for Prometheus, and for the `metrics` facade.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A counter with its name and its labels, to be passed to a system for monitoring:
/// [`ServerStats::metrics`](crate::ServerStats::metrics).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// The name, in words separated by dots, as OpenTelemetry writes them.
    pub name: &'static str,
    /// Whether it shrinks, and its unit.
    pub kind: MetricKind,
    /// The meaning, for people.
    pub help: &'static str,
    /// Names and values.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    /// The value since the beginning, or now.
    pub value: u64,
}

/// The kind of a [`Metric`], and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that also shrinks.
    Gauge,
    /// A number of things, which grows.
    Count,
    /// A number of bytes, which grows.
    Bytes,
}

impl Metric {
    /// A number that also shrinks, without labels.
    pub fn gauge(name: &'static str, help: &'static str, value: usize) -> Self {
        Self { name, kind: MetricKind::Gauge, help, labels: vec![], value: value as u64 }
    }

    /// A number of things, without labels.
    pub fn count(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, kind: MetricKind::Count, help, labels: vec![], value }
    }

    /// A number of bytes, without labels.
    pub fn bytes(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, kind: MetricKind::Bytes, help, labels: vec![], value }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.labels.push((name, value.into()));
        self
    }

    /// A page for Prometheus in its text format 0.0.4. Those of one name must stand together. Values of labels are written as
    /// they are: without `"`, `\` and line breaks.
    ///
    /// A name gets `_` in place of `.`, `_bytes` for the unit, and `_total` behind counters, as OpenTelemetry translates names
    /// for Prometheus.
    ///
    /// ```
    /// use ws_session::Metric;
    ///
    /// let page = Metric::to_prometheus(&[Metric::bytes("my.io", "Bytes of mine", 7).label("way", "out")]);
    /// assert_eq!(page, "# HELP my_io_bytes_total Bytes of mine\n# TYPE my_io_bytes_total counter\nmy_io_bytes_total{way=\"out\"} 7\n");
    /// ```
    pub fn to_prometheus(metrics: &[Self]) -> String {
        let mut page = String::new();
        let mut last = "";
        for metric in metrics {
            let (suffix, kind) = match metric.kind {
                MetricKind::Gauge => ("", "gauge"),
                MetricKind::Count => ("_total", "counter"),
                MetricKind::Bytes => ("_bytes_total", "counter"),
            };
            let name = metric.name.replace('.', "_") + suffix;
            // Writing to a string does not fail.
            if std::mem::replace(&mut last, metric.name) != metric.name {
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

    /// Adds the differences of values to earlier ones to the recorder of the `metrics` facade. What was not there before counts
    /// from 0.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn record(before: &[Self], now: &[Self]) {
        for metric in now {
            let is_same = |other: &&Self| other.name == metric.name && other.labels == metric.labels;
            metric.record_since(before.iter().find(is_same).map_or(0, |before| before.value));
        }
    }

    #[cfg(feature = "metrics")]
    fn record_since(&self, before: u64) {
        use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

        let Self { name, kind, help, labels, value } = self;
        let labels: Vec<_> = labels.iter().map(|(label, value)| Label::new(*label, value.clone())).collect();
        match kind {
            MetricKind::Gauge => {
                describe_gauge!(*name, Unit::Count, *help);
                gauge!(*name, labels).increment(*value as f64 - before as f64);
            }
            MetricKind::Count | MetricKind::Bytes => {
                let unit = if *kind == MetricKind::Bytes { Unit::Bytes } else { Unit::Count };
                describe_counter!(*name, unit, *help);
                counter!(*name, labels).increment(value - before);
            }
        }
    }
}
