//! The table: Markdown, aligned to be read as it is.

use load::Row;

use crate::server::Peer;

/// One server, one row, one round.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    /// Seconds of the server's CPU time per message.
    pub(crate) cpu: f64,
    /// The share of its core that the server used.
    pub(crate) busy: f64,
    /// The share of the time that other processes took from the server or from the load generator.
    pub(crate) lost: f64,
}

/// Names, in the order in which samples come; the first is what the others are compared with.
pub(crate) struct Table {
    names: Vec<&'static str>,
}

impl Table {
    /// Prints the head.
    pub(crate) fn new(peers: &[&Peer]) -> Self {
        line(
            "row",
            "server",
            ["messages/s", "of raw TCP", "CPU/message", "of raw TCP", "busy", "lost"].map(str::to_owned),
        );
        println!(
            "|{:-<18}|{:-<28}|{:->17}:|{:->18}:|{:->17}:|{:->18}:|{:->5}:|{:->5}:|",
            "", "", "", "", "", "", "", ""
        );
        Self { names: peers.iter().map(|peer| peer.name).collect() }
    }

    /// Prints a line per server, from its samples in every round.
    pub(crate) fn print(&self, row: &Row, samples: &[Vec<Sample>]) {
        let base = &samples[0];
        for (index, (name, samples)) in self.names.iter().zip(samples).enumerate() {
            let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
            let ratio = |figure: fn(&Sample) -> f64| match index {
                0 => "1".to_owned(),
                _ => {
                    let spread = Spread::of(samples.iter().zip(base).map(|(own, base)| figure(own) / figure(base)));
                    format!("{:.2} ({:.2}–{:.2})", spread.median, spread.min, spread.max)
                }
            };
            let (rate, cpu) = (spread(|s| s.per_second), spread(|s| s.cpu));
            let cells = [
                format!("{} ±{:.0}%", thousands(rate.median), rate.percent()),
                ratio(|s| s.per_second),
                format!("{:.2} µs ±{:.0}%", cpu.median * 1e6, cpu.percent()),
                ratio(|s| s.cpu),
                format!("{:.0}%", spread(|s| s.busy).median * 100.0),
                format!("{:.0}%", spread(|s| s.lost).median * 100.0),
            ];
            let row = if index == 0 { row.to_string() } else { String::new() };
            line(&row, name, cells);
        }
    }
}

fn line(row: &str, server: &str, [rate, of_rate, cpu, of_cpu, busy, lost]: [String; 6]) {
    println!(
        "| {row:<16} | {server:<26} | {rate:>16} | {of_rate:>17} | {cpu:>16} | {of_cpu:>17} | {busy:>4} | {lost:>4} |"
    );
}

/// The median of the rounds, and how far they lie apart.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len() - 1;
        let median = (sorted[last / 2] + sorted[last.div_ceil(2)]) / 2.0;
        Self { median, min: sorted[0], max: sorted[last] }
    }

    /// How far the farthest round is from the median.
    fn percent(&self) -> f64 {
        (self.max - self.median).max(self.median - self.min) / self.median * 100.0
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
