//! [`Report`]: the result, as text, as JSON and as a chart.

use std::fmt::Write as _;

use serde_json::{Value, json};
use ws_tokio::Escaped;

use super::tally::{Tally, Times};
use super::{BenchArgs, chart};
use crate::exit;

/// The quantiles that are told.
const QUANTILES: [(&str, f64); 5] = [("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("most", 1.0)];

/// The share of the messages that were due which may be unsent in the end. The rate counts as reached then.
const UNSENT: f64 = 0.01;

/// The result of a benchmark.
pub(super) struct Report {
    url: String,
    connections: u64,
    /// The rate that was asked for, in messages a second.
    rate: Option<f64>,
    echo: bool,
    tally: Tally,
}

impl Report {
    pub(super) fn new(args: &BenchArgs, mut tally: Tally) -> Self {
        // Those that were neither opened nor failed when it was interrupted are no errors.
        tally.errors.retain(|_, count| *count > 0);
        let rate = args.rate.map(|super::Rate(rate)| rate);
        Self { url: args.target.shown(), connections: args.connections, rate, echo: !args.no_echo, tally }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match () {
            () if self.tally.opened == 0 => exit::FAILED,
            () if self.tally.errors.is_empty() && self.reached_rate() => exit::OK,
            () => exit::NOT_CLEAN,
        }
    }

    /// Whether the messages were sent when they were due. When they are answered is for the latency to tell.
    fn reached_rate(&self) -> bool {
        let Tally { sent, unsent, .. } = self.tally;
        unsent as f64 <= (sent + unsent) as f64 * UNSENT
    }

    /// Answers a second.
    fn per_second(&self) -> f64 {
        self.in_a_second(self.tally.answered)
    }

    fn in_a_second(&self, number: u64) -> f64 {
        let seconds = self.tally.time().as_secs_f64();
        if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
    }

    pub(super) fn text(&self) -> String {
        let Tally { opened, opening, sent, answered, bytes, latency, errors, unsent, .. } = &self.tally;
        let mut text = format!("{opened} of {} connections to {} were opened", self.connections, self.url);
        text += &match opened {
            0 => ".\n".to_owned(),
            _ => format!(" ({} each, 99 %: {}).\n", of(opening, 0.5), of(opening, 0.99)),
        };
        if let Some(extensions) = &self.tally.extensions {
            let _ = writeln!(text, "Messages may be compressed: {} (--no-compression).", Escaped(extensions));
        }
        if *answered > 0 {
            let seconds = self.tally.time().as_secs_f64();
            let verb = if self.echo { "came back" } else { "were taken" };
            let megabytes = self.in_a_second(*bytes) / 1e6;
            let _ = writeln!(
                text,
                "{} messages {verb} in {seconds:.1} s: {} a second, {megabytes:.2} MB/s.",
                count(*answered as f64),
                count(self.per_second())
            );
            text += "\nLatency\n";
            let _ = writeln!(text, "  {:<7} {:>9}", "least", time(latency.min()));
            for (name, quantile) in QUANTILES {
                let _ = writeln!(text, "  {name:<7} {:>9}", of(latency, quantile));
            }
            text += match self.rate {
                Some(_) => "It counts from when a message was due.\n",
                None => {
                    "It counts from when a message was sent: what waits behind a slow answer is not counted. --rate corrects that.\n"
                }
            };
        }
        if !self.reached_rate() {
            let (unsent, due) = (count(*unsent as f64), count((sent + unsent) as f64));
            let _ =
                writeln!(text, "\nThe rate was not reached: {unsent} of {due} messages that were due were not sent.");
        }
        if !errors.is_empty() {
            text += "\nErrors\n";
        }
        for (kind, number) in errors {
            let _ = writeln!(text, "  {:>7}  {}", count(*number as f64), Escaped(kind));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let Tally { opened, opening, sent, answered, late, bytes, latency, errors, unsent, .. } = &self.tally;
        json!({
            "url": self.url,
            "connections": {"asked": self.connections, "opened": opened, "seconds": quantiles(opening)},
            "extensions": self.tally.extensions,
            "rate": self.rate,
            "seconds": self.tally.time().as_secs_f64(),
            "messages": {
                "sent": sent,
                "answered": answered,
                "late": late,
                "unsent": unsent,
                "per_second": self.per_second(),
                "bytes": bytes,
            },
            "latency": {"seconds": quantiles(latency), "counts_from": if self.rate.is_some() { "due" } else { "sent" }},
            "errors": errors,
        })
    }

    pub(super) fn chart(&self) -> String {
        let title = format!("{} a second over {} connections", count(self.per_second()), self.tally.opened);
        chart::svg(&self.tally.latency, &title)
    }
}

fn of(times: &Times, quantile: f64) -> String {
    time(times.value_at_quantile(quantile))
}

fn quantiles(times: &Times) -> Value {
    if times.is_empty() {
        return Value::Null;
    }
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    json!({
        "min": seconds(times.min()),
        "mean": times.mean() / 1e9,
        "p50": seconds(times.value_at_quantile(0.5)),
        "p90": seconds(times.value_at_quantile(0.9)),
        "p99": seconds(times.value_at_quantile(0.99)),
        "p999": seconds(times.value_at_quantile(0.999)),
        "max": seconds(times.max()),
    })
}

/// Nanoseconds with three digits and a unit.
pub(super) fn time(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    let (value, unit) = match nanoseconds {
        0..1_000_000 => (value / 1e3, "µs"),
        1_000_000..1_000_000_000 => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    match value {
        100.0.. => format!("{value:.0} {unit}"),
        10.0.. => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

/// A number with its digits in groups of three.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The report of a benchmark that sent what was due, but for some.
    fn report(opened: u64, sent: u64, unsent: u64) -> Report {
        let mut tally = Tally::new();
        (tally.opened, tally.sent, tally.unsent) = (opened, sent, unsent);
        Report { url: String::new(), connections: 4, rate: Some(100.0), echo: true, tally }
    }

    #[test]
    fn the_exit_code_tells_whether_all_was_as_it_was_asked_for() {
        assert_eq!(report(4, 100, 0).exit_code(), exit::OK);
        assert_eq!(report(4, 99, 1).exit_code(), exit::OK);
        assert_eq!(report(4, 98, 2).exit_code(), exit::NOT_CLEAN);
        assert!(
            report(4, 98, 2).text().contains("The rate was not reached: 2 of 100 messages"),
            "{}",
            report(4, 98, 2).text()
        );
        assert_eq!(report(0, 0, 0).exit_code(), exit::FAILED);
        let mut failed = report(3, 100, 0);
        failed.tally.record_error("refused", 1);
        assert_eq!(failed.exit_code(), exit::NOT_CLEAN);
    }

    #[test]
    fn late_answers_count_for_the_latency_and_not_against_the_rate() {
        let mut slow = report(4, 2, 0);
        for in_time in [true, false] {
            slow.tally.record_answer(std::time::Duration::from_secs(1), 1, in_time);
        }
        assert_eq!((slow.exit_code(), slow.tally.answered, slow.tally.latency.len()), (exit::OK, 1, 2));
        assert!(slow.text().contains("\n  least "), "{}", slow.text());
    }

    #[test]
    fn figures_are_short() {
        for (nanoseconds, text) in [
            (0, "0.00 µs"),
            (1_234, "1.23 µs"),
            (45_678, "45.7 µs"),
            (999_000, "999 µs"),
            (1_234_567, "1.23 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(time(nanoseconds), text);
        }
        assert_eq!((count(0.0), count(999.4), count(1234567.0)), ("0".into(), "999".into(), "1,234,567".into()));
    }
}
