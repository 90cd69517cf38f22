//! Peers that read slowly, and those that do not read at all: what is on its way to a peer is no sign of its death.

use ws_session::{Cause, Message};

use crate::sim::*;

const KB: usize = 1000;
const MB: usize = 1000 * KB;

/// How a peer reads: bytes a second, what the sender's system holds of what the peer's has not taken, and what the peer's
/// system holds of what it has not read, where the transport knows of that; and whether the window it tells stays the same.
#[derive(Clone, Copy, Debug)]
struct Reading {
    rate: usize,
    unsent: usize,
    window: Option<usize>,
    steady: bool,
}

impl Reading {
    fn link(self) -> impl FnOnce(&mut LinkOptions) {
        move |link| {
            link.capacity = self.unsent + self.window.unwrap_or(0);
            (link.window, link.steady_window) = (self.window, self.steady);
        }
    }
}

/// Sends `messages` messages of `size` bytes to a peer that reads steadily and answers a ping as soon as it has read it.
#[track_caller]
fn all_arrive(setup: &Setup, messages: usize, size: usize, reading: Reading) {
    let world = World::new(1);
    let setup = setup.link(reading.link());
    let mut running = setup.start(&world, move |mut socket| async move {
        for _ in 0..messages {
            socket.send(vec![7; size]).await?;
        }
        while socket.recv().await?.is_some() {}
        Ok(())
    });
    // Each second at most what the link holds.
    let rate = reading.rate.min(setup.link.capacity);
    let (mut came, mut seconds) = (0, 0);
    while came < messages {
        world.advance(secs(1));
        seconds += 1;
        assert!(seconds < 2 * messages * size / rate + 60, "{setup:?}, {reading:?}: it stands still");
        for Frame(first, payload) in running.peer.frames_of(reading.rate) {
            match first {
                BINARY => came += usize::from(payload.len() == size),
                PING => running.peer.send(PONG, payload),
                _ => panic!("{setup:?}, {reading:?}: {:?} after {seconds} s", Frame(first, payload)),
            }
        }
    }
    running.peer.send_close(1000, "");
    world.advance(secs(1));
    while running.peer.from.len() > 0 {
        world.advance(secs(1));
        running.peer.frames_of(reading.rate);
    }
    running.peer.to.end();
    world.advance(secs(1));
    assert!(running.driver.take().expect("it has ended").is_ok());
}

/// What a system keeps of a connection: little, unless it is left to it.
const UNSENT: usize = 64 * KB;
const LEFT_TO_THE_SYSTEM: usize = 4 * MB;

/// Small and large receive buffers, a transport that knows of them and one that does not.
const READINGS: [(usize, Option<usize>); 5] = [
    (UNSENT, Some(64 * KB)),
    (UNSENT, Some(4 * MB)),
    (LEFT_TO_THE_SYSTEM, Some(64 * KB)),
    (LEFT_TO_THE_SYSTEM, Some(4 * MB)),
    (UNSENT, None),
];

fn readings(rate: usize) -> impl Iterator<Item = Reading> {
    READINGS.into_iter().map(move |(unsent, window)| Reading { rate, unsent, window, steady: false })
}

#[test]
fn one_long_message_arrives_however_slowly_it_is_read() {
    for setup in setups() {
        for interval in [5, 20] {
            let setup = setup.config(|config| config.deadlines.ping_interval = Some(secs(interval)));
            for reading in readings(50 * KB).chain(readings(20 * KB)) {
                all_arrive(&setup, 1, 3 * MB, reading);
            }
        }
    }
}

/// Peers whose system takes everything at once, where nothing shows what their application reads.
fn swallowing(rate: usize) -> [Reading; 2] {
    let window = Some(LEFT_TO_THE_SYSTEM);
    [
        Reading { rate, unsent: UNSENT, window, steady: true },
        Reading { rate, unsent: LEFT_TO_THE_SYSTEM, window: None, steady: false },
    ]
}

#[test]
fn bytes_in_the_peers_receive_buffer_arrive_however_slowly_they_are_read() {
    for setup in setups() {
        for reading in swallowing(50 * KB).into_iter().chain(swallowing(20 * KB)) {
            all_arrive(&setup, 1, 3 * MB, reading);
        }
    }
}

#[test]
fn several_messages_arrive_however_slowly_they_are_read() {
    for setup in setups() {
        for reading in readings(50 * KB).chain(readings(150 * KB)) {
            all_arrive(&setup, 8, MB, reading);
        }
    }
}

#[test]
fn sixty_four_megabytes_arrive() {
    for reading in readings(200 * KB) {
        all_arrive(&setups()[1], 64, MB, reading);
    }
}

/// When a connection ends, in seconds, on which that much is sent to a peer that reads nothing.
fn ends_after(setup: &Setup, size: usize, reading: Reading) -> (u64, Cause) {
    let world = World::new(1);
    let setup = setup.link(reading.link());
    let log = Log::new();
    let told = log.clone();
    let _running = setup.start(&world, move |mut socket| async move {
        socket.send(vec![7; size]).await?;
        if let Err(error) = socket.recv().await {
            told.push(error.closed().expect("closed").outcome().cause.clone());
        }
        Ok(())
    });
    for second in 1..=300 {
        world.advance(secs(1));
        if let Some(cause) = log.take().pop() {
            return (second, cause);
        }
    }
    panic!("{setup:?}, {reading:?}: open after 300 s");
}

#[test]
fn a_peer_that_takes_nothing_is_dropped() {
    for setup in setups() {
        for reading in readings(0) {
            let holds = reading.unsent + reading.window.unwrap_or(0);
            // What does not fit waits in the connection: the ping behind it is never written.
            assert_eq!(ends_after(&setup, holds + MB, reading), (30, Cause::WriteStall), "{setup:?}, {reading:?}");
            // What does is on its way for ever, and the ping with it. Where it is not known that it is, it may be read: 3 s.
            let reads = if reading.window.is_none() { 3 } else { 0 };
            assert_eq!(
                ends_after(&setup, holds - 100, reading),
                (40 + reads, Cause::KeepaliveTimeout),
                "{setup:?}, {reading:?}"
            );
        }
    }
}

#[test]
fn a_peer_whose_system_takes_everything_is_dropped_once_it_could_have_read_that() {
    for setup in setups() {
        for reading in swallowing(0) {
            for (size, reads) in [(10, 0), (16 * KB, 0), (100 * KB, 6), (3 * MB, 183)] {
                assert_eq!(
                    ends_after(&setup, size, reading),
                    (40 + reads, Cause::KeepaliveTimeout),
                    "{setup:?}, {reading:?}, {size} bytes"
                );
            }
        }
    }
}

#[test]
fn bytes_that_the_peers_system_takes_after_a_ping_show_nothing_of_its_application() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.link(|link| (link.capacity, link.window) = (5 * MB, Some(4 * MB)));
        let log = Log::new();
        let told = log.clone();
        let _running = setup.start(&world, move |mut socket| async move {
            let sender = socket.sender();
            spawn_here("sends on", async move {
                while sender.send(Message::from("tick")).await.is_ok() {
                    sleep(secs(1)).await;
                }
            });
            if let Err(error) = socket.recv().await {
                told.push(error.closed().expect("closed").outcome().cause.clone());
            }
            Ok(())
        });
        world.advance(secs(39));
        assert_eq!(log.len(), 0);
        world.advance(secs(1));
        assert_eq!(log.take(), [Cause::KeepaliveTimeout], "{setup:?}");
    }
}

/// What the transport was told of how many unsent bytes to hold, by then.
#[track_caller]
fn assert_told(setup: &Setup, running: &Running, expected: &[u32], when: &str) {
    assert_eq!(running.peer.from.notsent_lowats(), expected, "{setup:?}, {:?}: {when}", setup.link.window);
}

/// Sends without end what the peer has to take.
fn send_without_end(world: &World, setup: &Setup) -> Running {
    setup.start(world, |socket| async move {
        loop {
            socket.send(vec![7; 256 * KB]).await?;
        }
    })
}

/// Transports that know what is in flight, and those that do not.
fn windows(setup: &Setup) -> [Setup; 2] {
    [Some(64 * KB), None].map(|window| setup.link(|link| (link.capacity, link.window) = (256 * KB, window)))
}

#[test]
fn a_fast_transport_holds_as_many_unsent_bytes_as_the_system_likes() {
    for setup in setups().iter().flat_map(windows) {
        let world = World::new(1);
        let running = send_without_end(&world, &setup);
        for _ in 0..60 {
            // It is full all the time, and never for long.
            for _ in 0..2 {
                running.peer.from.take();
                world.advance(millis(500));
            }
            running.peer.to.push(&running.peer.frame(PONG, ""));
        }
        assert_told(&setup, &running, &[], "after a minute");
    }
}

#[test]
fn a_transport_that_was_full_for_a_second_holds_few_unsent_bytes_from_then_on() {
    for setup in setups().iter().flat_map(windows) {
        for (lowat, expected) in [(None, 64 << 10), (Some(Some(1000)), 1000)] {
            let world = World::new(1);
            let setup = Setup { notsent_lowat: lowat, ..setup.clone() };
            let running = send_without_end(&world, &setup);
            world.advance(millis(999));
            running.peer.from.take_up_to(100 * KB);
            world.advance(millis(999));
            assert_told(&setup, &running, &[], "full for less than a second, twice");
            world.advance(millis(1));
            running.peer.from.take_up_to(1);
            world.run();
            assert_told(&setup, &running, &[expected], "before it was written to again");
            for _ in 0..10 {
                world.advance(secs(2));
                running.peer.from.take_up_to(KB);
            }
            world.run();
            assert_told(&setup, &running, &[expected], "once");
        }
    }
}

#[test]
fn a_transport_holds_few_unsent_bytes_once_a_pong_is_late() {
    for setup in setups().iter().flat_map(windows) {
        let world = World::new(1);
        let running = setup.start(&world, |mut socket| async move {
            socket.send(vec![7; 100 * KB]).await?;
            while socket.recv().await?.is_some() {}
            Ok(())
        });
        world.advance(secs(29));
        assert_told(&setup, &running, &[], "the first ping is 9 s old");
        world.advance(secs(1));
        assert_told(&setup, &running, &[64 << 10], "it is 10 s old");
        world.advance(secs(5));
        assert_told(&setup, &running, &[64 << 10], "once");
    }
}

#[test]
fn a_transport_is_left_alone_if_so_set() {
    for setup in setups().iter().flat_map(windows) {
        let world = World::new(1);
        let setup = Setup { notsent_lowat: Some(None), ..setup };
        let running = send_without_end(&world, &setup);
        for _ in 0..20 {
            world.advance(secs(2));
            running.peer.from.take_up_to(KB);
        }
        assert_told(&setup, &running, &[], "after 40 s");
    }
}
