//! The tables: Markdown, aligned to be read as it is.

use crate::case::{Case, Kind};
use crate::peer::name_at;
use crate::sample::{Figures, Memory, Sample, Speed};

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
    /// What servers answered to what was offered, and which: in the order in which they did.
    agreed: Vec<(String, Vec<String>)>,
    /// The revision that programs are compared with, and lines that do it.
    against: Option<String>,
    ratios: Vec<String>,
}

const SPEED: &str = "\
| case                | program                    |      per second |            ratio |         CPU each |            ratio | busy | lost |
|:--------------------|:---------------------------|----------------:|-----------------:|-----------------:|-----------------:|-----:|-----:|";

const COMPRESSED: &str = "\
| case                    | program                    |      per second |         CPU each |            ratio | bytes each | busy | lost |
|:------------------------|:---------------------------|----------------:|-----------------:|-----------------:|-----------:|-----:|-----:|";

/// The column of CPU time, which its ratio follows.
pub(crate) const CPU: &str = "CPU each";

/// In the place of figures, for a program that does not do what was asked.
const ABSENT: &str = "absent";

const MEMORY_COMPRESSED: &str = "\
| case                | program                    | KiB each, open |   KiB each, after 64 each |
|:--------------------|:---------------------------|---------------:|--------------------------:|";

const MEMORY: &str = "\
| case                | program                    | KiB each, open | KiB each, after a message |
|:--------------------|:---------------------------|---------------:|--------------------------:|";

impl Table {
    pub(crate) fn new(against: Option<&str>) -> Self {
        Self { against: against.map(str::to_owned), ..Self::default() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        for index in 0..outcome.programs.len() {
            self.add_program(outcome, index);
        }
        if let Some(revision) = &self.against {
            self.ratios.extend(outcome.against(revision));
        }
    }

    fn add_program(&mut self, outcome: &Outcome, index: usize) {
        let (name, samples) = &outcome.programs[index];
        let case = if index == 0 { outcome.case.to_string() } else { String::new() };
        let is_compressed = outcome.case.deflate.is_some();
        if outcome.case.kind == Kind::Idle {
            self.head(if is_compressed { MEMORY_COMPRESSED } else { MEMORY });
            let memory = memories(samples);
            let of = |figure: fn(&Memory) -> f64| {
                let median = Spread::of(memory.iter().map(figure)).map(|spread| spread.median);
                median.map_or_else(|| ABSENT.to_owned(), |bytes| format!("{:.2}", bytes / 1024.0))
            };
            let (open, used) = (of(|memory| memory.open), of(|memory| memory.used));
            self.line(&format!("| {case:<19} | {name:<26} | {open:>14} | {used:>25} |"));
        } else {
            self.head(if is_compressed { COMPRESSED } else { SPEED });
            let figures = outcome.figures(index).unwrap_or_else(|| [ABSENT, "", "", "", "", "", ""].map(str::to_owned));
            let [rate, rate_ratio, cpu, cpu_ratio, reply_len, busy, lost] = figures;
            self.line(&if is_compressed {
                format!(
                    "| {case:<23} | {name:<26} | {rate:>15} | {cpu:>16} | {cpu_ratio:>16} | {reply_len:>10} | {busy:>4} | {lost:>4} |"
                )
            } else {
                format!(
                    "| {case:<19} | {name:<26} | {rate:>15} | {rate_ratio:>16} | {cpu:>16} | {cpu_ratio:>16} | {busy:>4} | {lost:>4} |"
                )
            });
        }
        for agreed in samples.iter().filter_map(|sample| sample.agreed.as_ref()) {
            self.remember(name, agreed);
        }
    }

    fn remember(&mut self, name: &str, agreed: &str) {
        let known = self.agreed.iter().position(|(known, _)| known == name).unwrap_or(self.agreed.len());
        if known == self.agreed.len() {
            self.agreed.push((name.to_owned(), Vec::new()));
        }
        let answers = &mut self.agreed[known].1;
        if !answers.iter().any(|answer| answer == agreed) {
            answers.push(agreed.to_owned());
        }
    }

    /// Says how programs compare with themselves at the earlier revision, and what servers agreed to, if they were offered
    /// anything: they differ in that.
    pub(crate) fn finish(&mut self) {
        if let Some(revision) = &self.against
            && !self.ratios.is_empty()
        {
            self.line(&format!("\nRatios to {revision}, round by round:\n"));
            for line in std::mem::take(&mut self.ratios) {
                self.line(&line);
            }
        }
        let agreed = std::mem::take(&mut self.agreed);
        if !agreed.is_empty() {
            self.line("\nWhat was agreed to:\n");
        }
        for (name, answers) in agreed {
            let answers: Vec<_> = answers.iter().map(|answer| format!("`{answer}`")).collect();
            self.line(&format!("- {name}: {}", answers.join(", ")));
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
    /// A line of the table, from the rate to what was lost; nothing for a program that does not do this.
    fn figures(&self, program: usize) -> Option<[String; 7]> {
        let speed = speeds(&self.programs[program].1);
        let spread = |figure: fn(&Speed) -> f64| Spread::of(speed.iter().map(figure));
        let ratio = |figure: fn(&Speed) -> f64| match (program, self.ratio(program, 0, figure)) {
            (0, _) => "1".to_owned(),
            (_, None) => String::new(),
            (_, Some(spread)) => spread.ratio(),
        };
        let (rate, cpu) = (spread(|s| s.per_second)?, spread(|s| s.cpu)?);
        let reply_len = Spread::of(speed.iter().filter_map(|s| s.reply_len));
        Some([
            format!("{} ±{:.0}%", thousands(rate.median), rate.percent()),
            ratio(|s| s.per_second),
            format!("{} ±{:.0}%", microseconds(cpu.median), cpu.percent()),
            ratio(|s| s.cpu),
            reply_len.map_or_else(String::new, |len| format!("{:.0}", len.median)),
            format!("{:.0}%", spread(|s| s.busy)?.median * 100.0),
            format!("{:.0}%", spread(|s| s.lost)?.median * 100.0),
        ])
    }

    /// A program's seconds of CPU time for each.
    pub(crate) fn cpu(&self, program: usize) -> Option<Spread> {
        Spread::of(speeds(&self.programs[program].1).iter().map(|speed| speed.cpu))
    }

    /// A program's figure over that of the `unit`, round by round.
    pub(crate) fn ratio(&self, program: usize, unit: usize, figure: fn(&Speed) -> f64) -> Option<Spread> {
        let (own, unit) = (speeds(&self.programs[program].1), speeds(&self.programs[unit].1));
        Spread::of(own.iter().zip(&unit).map(|(own, unit)| figure(own) / figure(unit)))
    }

    /// A line for each program that ran at the earlier revision, too.
    fn against(&self, revision: &str) -> Vec<String> {
        let index = |name: &str| self.programs.iter().position(|(known, _)| known == name);
        let pairs = self.programs.iter().enumerate();
        let pairs = pairs.filter_map(|(now, (name, _))| Some((name, now, index(&name_at(name, revision))?)));
        let line = |(name, now, then): (&String, usize, usize)| {
            let figures = if self.case.kind == Kind::Idle {
                let (now, then) = (memories(&self.programs[now].1), memories(&self.programs[then].1));
                let of = |figure: fn(&Memory) -> f64| {
                    let ratios = now.iter().zip(&then).map(|(now, then)| figure(now) / figure(then));
                    Spread::of(ratios).map(|spread| format!("{:.2}", spread.median))
                };
                format!("memory when open {}, after that {}", of(|m| m.open)?, of(|m| m.used)?)
            } else {
                let of = |figure| self.ratio(now, then, figure).map(|spread| spread.ratio());
                format!("per second {}, CPU each {}", of(|s| s.per_second)?, of(|s| s.cpu)?)
            };
            Some(format!("- {}, {name}: {figures}", self.case))
        };
        pairs.filter_map(line).collect()
    }
}

fn speeds(samples: &[Sample]) -> Vec<Speed> {
    let speed = |sample: &Sample| if let Figures::Speed(speed) = sample.figures { Some(speed) } else { None };
    samples.iter().filter_map(speed).collect()
}

fn memories(samples: &[Sample]) -> Vec<Memory> {
    let memory = |sample: &Sample| if let Figures::Memory(memory) = sample.figures { Some(memory) } else { None };
    samples.iter().filter_map(memory).collect()
}

/// The median of the rounds, and how far they lie apart.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// As a table shows a ratio: the unit as `1`, others as `1.15 (0.84–1.33)`.
    pub(crate) fn parse(cell: &str) -> Option<Self> {
        let (median, range) = cell.split_once(" (").unwrap_or((cell, ""));
        let median = median.parse().ok()?;
        match range.trim_end_matches(')').split_once('–') {
            Some((min, max)) => Some(Self { median, min: min.parse().ok()?, max: max.parse().ok()? }),
            None => Some(Self { median, min: median, max: median }),
        }
    }

    fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let median = (sorted[last / 2] + sorted[last.div_ceil(2)]) / 2.0;
        Some(Self { median, min: sorted[0], max: sorted[last] })
    }

    /// As [`parse`](Self::parse) reads it.
    fn ratio(&self) -> String {
        format!("{:.2} ({:.2}–{:.2})", self.median, self.min, self.max)
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
