//! Runs scenarios around brokers, several at a time, and prints a table of what passed.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ws_brokers::Outcome;
use ws_brokers::broker::Kind;
use ws_brokers::brokers::KINDS;
use ws_brokers::process::Folder;
use ws_brokers::scenarios::{SCENARIOS, Scenario};
use ws_brokers::world::World;

struct Arguments {
    kinds: Vec<&'static Kind>,
    is_long: bool,
    only: Option<String>,
    jobs: usize,
}

struct Done {
    kind: &'static str,
    scenario: &'static str,
    time: Duration,
    outcome: Outcome,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::from(2);
        }
    };
    let queue: VecDeque<_> = arguments
        .kinds
        .iter()
        .flat_map(|kind| SCENARIOS.iter().map(move |scenario| (*kind, scenario)))
        .filter(|(kind, scenario)| scenario.needs.iter().all(|fault| kind.has(*fault)))
        .filter(|(_, scenario)| arguments.is_long || !scenario.is_long)
        .filter(|(_, scenario)| arguments.only.as_ref().is_none_or(|only| scenario.name.contains(only.as_str())))
        .collect();
    let (queue, done) = (Mutex::new(queue), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((kind, scenario)) = next else { return };
                    let one = run(kind, scenario);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
            });
        }
    });
    summary(&mut done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn run(kind: &'static Kind, scenario: &'static Scenario) -> Done {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| attempt(kind, scenario)));
    let outcome = outcome.unwrap_or_else(|_| Err("it panicked".to_owned()));
    let (time, word) = (start.elapsed(), if outcome.is_ok() { "ok" } else { "FAILED" });
    println!("{:>6.1} s  {:<16} {:<44} {word}", time.as_secs_f64(), kind.name, scenario.name);
    if let Err(reason) = &outcome {
        println!("    {}", reason.chars().take(4000).collect::<String>());
    }
    Done { kind: kind.name, scenario: scenario.name, time, outcome }
}

fn attempt(kind: &'static Kind, scenario: &Scenario) -> Outcome {
    let name = format!("{}-{}", kind.name, scenario.name.replace(' ', "-"));
    let mut folder = Folder::new(&name).map_err(|error| error.to_string())?;
    folder.is_kept = std::env::var_os("KEEP").is_some();
    let folder = Arc::new(folder);
    let broker = (kind.start)(Path::new(folder.path()))?;
    let mut world = World::new(kind, broker, folder);
    (scenario.run)(&mut world)?;
    world.audit()
}

fn summary(done: &mut [Done]) -> ExitCode {
    done.sort_by_key(|one| (KINDS.iter().position(|kind| kind.name == one.kind), one.scenario));
    println!("\n| broker | scenarios | passed | seconds |\n| --- | ---: | ---: | ---: |");
    for kind in KINDS {
        let own = done.iter().filter(|one| one.kind == kind.name);
        let (all, time) = own.clone().fold((0, Duration::ZERO), |(all, time), one| (all + 1, time + one.time));
        let passed = own.filter(|one| one.outcome.is_ok()).count();
        if all > 0 {
            println!("| {} | {all} | {passed} | {:.0} |", kind.name, time.as_secs_f64());
        }
    }
    println!();
    for one in done.iter().filter(|one| one.outcome.is_err()) {
        println!("FAILED: {}: {}", one.kind, one.scenario);
    }
    let failed = done.iter().filter(|one| one.outcome.is_err()).count();
    println!("{} passed, {failed} failed", done.len() - failed);
    if failed == 0 && !done.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments() -> Outcome<Arguments> {
    let mut arguments = Arguments { kinds: Vec::new(), is_long: false, only: None, jobs: 8 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--long" => arguments.is_long = true,
            "--only" => arguments.only = Some(words.next().ok_or("--only needs a part of a name")?),
            "--jobs" => {
                let jobs = words.next().and_then(|jobs| jobs.parse().ok());
                arguments.jobs = jobs.filter(|jobs| *jobs > 0).ok_or("--jobs needs a number")?;
            }
            "--list" => {
                SCENARIOS.iter().for_each(|scenario| println!("{}", scenario.name));
                std::process::exit(0);
            }
            name => match KINDS.iter().find(|kind| kind.name == name) {
                Some(kind) => arguments.kinds.push(kind),
                None => {
                    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
                    return Err(format!("no broker is called {name}; there are: {}", names.join(" ")));
                }
            },
        }
    }
    if arguments.kinds.is_empty() {
        return Err("which broker?".to_owned());
    }
    Ok(arguments)
}
