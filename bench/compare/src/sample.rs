//! One program, one case, once.

use std::time::Duration;

use anyhow::{Result, ensure};
use load::{Client, Deflated, Direction, Echo, FanOut, Idle, Keepalive, Load, Upgrades};

use crate::case::{Case, Kind};
use crate::peer::{Peer, Process, Unsupported, Waiting, on_cores};

/// Where and how long to measure.
pub(crate) struct Method {
    pub(crate) seconds: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) program_cores: Vec<usize>,
    pub(crate) load_core: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) figures: Figures,
    /// What the server answered to the extension that was offered.
    pub(crate) agreed: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Figures {
    Speed(Speed),
    Memory(Memory),
    /// The program says that it does not do this.
    Absent,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    pub(crate) per_second: f64,
    /// Seconds of the program's CPU time for each.
    pub(crate) cpu: f64,
    /// The share of its core that the program used.
    pub(crate) busy: f64,
    /// Bytes of a message on its way back, header and all, where they are compressed.
    pub(crate) reply_len: Option<f64>,
    /// The share of the time that other processes took from the program or from the load generator.
    pub(crate) lost: f64,
}

/// Growth in bytes per connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) open: f64,
    /// After a message on each; after 64, where they are compressed.
    pub(crate) used: f64,
}

/// Takes a sample again, once, if other processes took a noticeable share of the two cores meanwhile.
pub(crate) fn undisturbed(peer: &Peer, case: &Case, method: &Method) -> Result<Sample> {
    let first = take(peer, case, method)?;
    if first.lost() < 0.02 {
        return Ok(first);
    }
    let second = take(peer, case, method)?;
    Ok(if second.lost() < first.lost() { second } else { first })
}

impl Sample {
    fn lost(&self) -> f64 {
        if let Figures::Speed(speed) = self.figures { speed.lost } else { 0.0 }
    }
}

fn take(peer: &Peer, case: &Case, method: &Method) -> Result<Sample> {
    let sample = match case.kind {
        Kind::Idle => memory(peer, case, method),
        _ => speed(peer, case, method),
    };
    match sample {
        Err(error) if error.is::<Unsupported>() => Ok(Sample { figures: Figures::Absent, agreed: None }),
        sample => sample,
    }
}

fn speed(peer: &Peer, case: &Case, method: &Method) -> Result<Sample> {
    let (process, mut load) = start(peer, case, method)?;
    let (warm_up, seconds) = match case.kind {
        // Whole periods of the timers.
        Kind::Keepalive => (PING_INTERVAL, method.seconds.max(2 * PING_INTERVAL)),
        _ => (method.warm_up, method.seconds),
    };
    load.run(warm_up)?;
    let waiting = (Waiting::of(&process)?, Waiting::of_this_thread()?);
    let before = process.cpu_time()?;
    let counted = load.run(seconds)?;
    let cpu = (process.cpu_time()? - before).as_secs_f64();
    let lost = Waiting::of(&process)?.lost_since(&waiting.0) + Waiting::of_this_thread()?.lost_since(&waiting.1);
    ensure!(counted.each > 0.0, "nothing was done in {seconds:?}");
    load.finish()?;
    // Before its connections close: a client would call that an error.
    drop(process);
    let elapsed = counted.elapsed.as_secs_f64();
    let speed = Speed {
        per_second: counted.each / elapsed,
        cpu: cpu / counted.each,
        busy: cpu / elapsed,
        reply_len: load.reply_len(),
        lost: lost.as_secs_f64() / elapsed,
    };
    Ok(Sample { figures: Figures::Speed(speed), agreed: load.agreed().map(str::to_owned) })
}

/// The program on its core, and what is done with it from ours.
fn start(peer: &Peer, case: &Case, method: &Method) -> Result<(Process, Box<dyn Load>)> {
    let row = &case.row;
    if let Kind::Receive | Kind::Send = case.kind {
        let direction = if case.kind == Kind::Send { Direction::FromClient } else { Direction::ToClient };
        let (listener, address) = Client::listen()?;
        let client = on_cores(&method.program_cores, || peer.start(case, Some(address)))?;
        let load = on_cores(&[method.load_core], || Client::accept(&listener, row, direction, peer.wire))?;
        return Ok((client, Box::new(load)));
    }
    let mut server = on_cores(&method.program_cores, || peer.start(case, None))?;
    let port = server.port()?;
    let load: Box<dyn Load> = on_cores(&[method.load_core], || {
        Ok(match case.kind {
            Kind::Upgrades => Box::new(Upgrades::new(port, peer.wire)) as Box<dyn Load>,
            // The publisher's port comes first.
            Kind::FanOut => Box::new(FanOut::start(server.port()?, port, row)?),
            Kind::Keepalive => Box::new(Keepalive::start(port, row.connections)?),
            _ if let Some(deflate) = case.deflate => Box::new(Deflated::start(port, row, peer.wire, deflate)?),
            _ => Box::new(Echo::start(port, row, peer.wire)?),
        })
    })?;
    Ok((server, load))
}

fn memory(peer: &Peer, case: &Case, method: &Method) -> Result<Sample> {
    let mut server = on_cores(&method.program_cores, || peer.start(case, None))?;
    let port = server.port()?;
    on_cores(&[method.load_core], || {
        // One connection comes and goes before: what is allocated once is not counted.
        Idle::open(port, 1, case.deflate)?.exchange(&case.row)?;
        std::thread::sleep(SETTLE);
        let before = server.rss()?;
        let mut idle = Idle::open(port, case.row.connections, case.deflate)?;
        std::thread::sleep(SETTLE);
        let open = server.rss()?;
        idle.exchange(&case.row)?;
        std::thread::sleep(SETTLE);
        let per_connection = |rss: f64| (rss - before) / case.row.connections as f64;
        let memory = Memory { open: per_connection(open), used: per_connection(server.rss()?) };
        Ok(Sample { figures: Figures::Memory(memory), agreed: idle.agreed() })
    })
}

/// Of servers that are measured while they send pings.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// How long a server has to do what it does behind a handshake or a message.
const SETTLE: Duration = Duration::from_millis(200);
