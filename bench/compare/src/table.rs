//! The tables: Markdown, aligned to be read as it is.

use crate::case::Case;
use crate::sample::{Memory, Sample, Speed};

/// What came of a case: each program's samples, in the order of the rounds. The first program is the unit.
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) programs: Vec<(String, Vec<Sample>)>,
}

/// Prints outcomes as they come, and keeps what it printed.
#[derive(Default)]
pub(crate) struct Table {
    text: String,
    head: Option<&'static str>,
}

const SPEED: &str = "\
| case                | program                    |      per second |            ratio |         CPU each |            ratio | busy | lost |
|:--------------------|:---------------------------|----------------:|-----------------:|-----------------:|-----------------:|-----:|-----:|";

const MEMORY: &str = "\
| case                | program                    | KiB each, open | KiB each, after a message |
|:--------------------|:---------------------------|---------------:|--------------------------:|";

impl Table {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        for (index, (name, samples)) in outcome.programs.iter().enumerate() {
            let case = if index == 0 { outcome.case.to_string() } else { String::new() };
            let (memory, speed) = (memories(samples), speeds(samples));
            if !memory.is_empty() {
                self.head(MEMORY);
                let of = |figure: fn(&Memory) -> f64| Spread::of(memory.iter().map(figure)).median / 1024.0;
                let (open, used) = (of(|memory| memory.open), of(|memory| memory.used));
                self.line(&format!("| {case:<19} | {name:<26} | {open:>14.2} | {used:>25.2} |"));
                continue;
            }
            self.head(SPEED);
            let spread = |figure: fn(&Speed) -> f64| Spread::of(speed.iter().map(figure));
            let ratio = |figure: fn(&Speed) -> f64| match (index, outcome.ratio(index, figure)) {
                (0, _) => "1".to_owned(),
                (_, spread) => format!("{:.2} ({:.2}–{:.2})", spread.median, spread.min, spread.max),
            };
            let (rate, cpu) = (spread(|s| s.per_second), spread(|s| s.cpu));
            self.line(&format!(
                "| {case:<19} | {name:<26} | {:>15} | {:>16} | {:>16} | {:>16} | {:>3.0}% | {:>3.0}% |",
                format!("{} ±{:.0}%", thousands(rate.median), rate.percent()),
                ratio(|s| s.per_second),
                format!("{} ±{:.0}%", microseconds(cpu.median), cpu.percent()),
                ratio(|s| s.cpu),
                spread(|s| s.busy).median * 100.0,
                spread(|s| s.lost).median * 100.0,
            ));
        }
    }

    /// Begins a table, unless it is the one that is being printed.
    fn head(&mut self, head: &'static str) {
        if self.head.is_none_or(|current| current != head) {
            if self.head.is_some() {
                self.line("");
            }
            self.line(head);
            self.head = Some(head);
        }
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        self.text += line;
        self.text.push('\n');
    }
}

impl Outcome {
    /// A program's figure over the first program's, round by round.
    pub(crate) fn ratio(&self, program: usize, figure: fn(&Speed) -> f64) -> Spread {
        let (own, unit) = (speeds(&self.programs[program].1), speeds(&self.programs[0].1));
        Spread::of(own.iter().zip(&unit).map(|(own, unit)| figure(own) / figure(unit)))
    }

    /// Whether ratios mean anything.
    pub(crate) fn is_speed(&self) -> bool {
        self.programs.iter().all(|(_, samples)| !speeds(samples).is_empty())
    }
}

fn speeds(samples: &[Sample]) -> Vec<Speed> {
    let speed = |sample: &Sample| if let Sample::Speed(speed) = sample { Some(*speed) } else { None };
    samples.iter().filter_map(speed).collect()
}

fn memories(samples: &[Sample]) -> Vec<Memory> {
    let memory = |sample: &Sample| if let Sample::Memory(memory) = sample { Some(*memory) } else { None };
    samples.iter().filter_map(memory).collect()
}

/// The median of the rounds, and how far they lie apart.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
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

fn microseconds(seconds: f64) -> String {
    match seconds * 1e6 {
        micros if micros < 10.0 => format!("{micros:.3} µs"),
        micros => format!("{micros:.1} µs"),
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
