//! Back pressure: who sends too much waits, who reads too slowly is not flooded, and nobody waits for ever.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future;
use ws_proto::Role;
use ws_session::{Bytes, CloseCode, Config, Error, Message, SendError, WebSocket};

use crate::sim::*;

const MIB: usize = 1 << 20;

/// Runs both drivers, each in one of the two ways.
fn run_both<F>(world: &World, pair: Pair, beside: [bool; 2], app: impl Fn(WebSocket, Role) -> F) -> [Task<()>; 2]
where
    F: Future<Output = ()> + 'static,
{
    let Pair { server, client } = pair;
    let mut tasks = [(server, Role::Server), (client, Role::Client)].into_iter().zip(beside).map(
        |(((socket, driver), role), beside)| {
            let app = app(socket, role);
            match beside {
                true => world.spawn("driver and app", async move {
                    let app = async {
                        app.await;
                        Ok(())
                    };
                    driver.run(app).await.expect("the app succeeds");
                }),
                false => {
                    world.spawn("driver", driver);
                    world.spawn("app", app)
                }
            }
        },
    );
    std::array::from_fn(|_| tasks.next().expect("two"))
}

#[test]
fn two_peers_that_send_64_mib_before_they_read_do_not_deadlock() {
    // In one message, and in as many as the queue holds, whatever their bytes.
    for (beside, size, inbound) in
        [([true, false], 64 * MIB, 16), ([false, true], 4 * MIB, 16), ([true, true], MIB, 64)]
    {
        let world = World::new(1);
        let mut config = Config::default();
        timeless(&mut config);
        config.limits.message = None;
        config.limits.frame = None;
        let options = LinkOptions { capacity: 64 << 10, ..LinkOptions::default() };
        let payload = Bytes::from(vec![7; size]);
        let tasks = run_both(&world, open_pair_with(&world, &config, inbound, options), beside, |mut socket, _| {
            let payload = payload.clone();
            async move {
                let n = 64 * MIB / size;
                for _ in 0..n {
                    socket.send(payload.clone()).await.unwrap();
                }
                socket.flush().await.unwrap();
                for _ in 0..n {
                    let got = socket.recv().await.unwrap().unwrap();
                    assert!(got.as_bytes() == payload);
                }
                socket.close(CloseCode::NORMAL, "").await.unwrap();
            }
        });
        tasks.iter().for_each(|task| world.finish(task));
    }
}

/// What may wait to be received, in bytes.
const WAITING: usize = 4 * MIB;

#[test]
fn reading_stops_at_4_mib_that_nobody_has_received() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (mut socket, driver, peer) = Setup::new(role).timeless().open(&world);
        let driver = world.spawn("driver", driver);
        let payload = vec![7; MIB];
        for _ in 0..16 {
            peer.send(BINARY, &payload);
        }
        let all = peer.to.len();
        world.run();
        let read = all - peer.to.len();
        assert!((WAITING..WAITING + 256 * 1024).contains(&read), "{role:?}: {read}");
        let polls = driver.polls();
        // Half of it is taken before reading goes on.
        socket = world.at_once(async move {
            socket.recv().await.unwrap().unwrap();
            socket
        });
        world.run();
        assert_eq!((all - peer.to.len(), driver.polls()), (read, polls), "{role:?}");
        socket = world.at_once(async move {
            socket.recv().await.unwrap().unwrap();
            socket
        });
        world.run();
        let more = all - peer.to.len() - read;
        assert!((2 * MIB - 1024..2 * MIB + 256 * 1024).contains(&more), "{role:?}: {more}");
        world.at_once(async move {
            for _ in 2..16 {
                assert_eq!(socket.recv().await.unwrap().unwrap().len(), MIB);
            }
        });
    }
}

#[test]
fn one_message_may_always_wait() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.timeless().config(|config| (config.limits.message, config.limits.frame) = (None, None));
        let got = Log::new();
        let told = got.clone();
        let running = setup.start(&world, |mut socket| async move {
            sleep(Duration::from_secs(1)).await;
            while let Some(message) = socket.recv().await? {
                told.push(message.len());
            }
            Ok(())
        });
        for _ in 0..5 {
            running.peer.send(BINARY, vec![7; 2 * WAITING]);
        }
        world.advance(Duration::from_secs(2));
        assert_eq!(got.take(), [2 * WAITING; 5], "{setup:?}");
    }
}

#[test]
fn while_writing_is_blocked_only_the_number_of_messages_counts() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, peer) = Setup::new(role).timeless().open(&world);
        let _driver = world.spawn("driver", driver);
        for _ in 0..20 {
            peer.send(BINARY, vec![7; MIB]);
        }
        world.run();
        let stopped = peer.to.len();
        // The peer takes nothing: it may be waiting for us to read.
        peer.from.set_capacity(0);
        socket.sender().try_send("blocked").unwrap();
        world.run();
        let left = peer.to.len();
        assert!(left < stopped && (3 * MIB..5 * MIB).contains(&left), "{role:?}: {left}");
    }
}

#[test]
fn what_comes_while_the_end_is_awaited_is_bounded_in_bytes_too() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (mut socket, driver, peer) = Setup::new(role).timeless().open(&world);
        let _driver = world.spawn("driver", driver);
        for _ in 0..16 {
            peer.send(BINARY, vec![7; MIB]);
        }
        peer.send_close(1000, "");
        peer.to.end();
        world.at_once(async move {
            assert!(socket.closed().await.is_clean());
            for _ in 0..WAITING / MIB {
                assert_eq!(socket.recv().await.unwrap().unwrap().len(), MIB);
            }
            assert!(matches!(socket.recv().await, Err(Error::Skipped)));
        });
    }
}

// ---- outgoing ----

#[test]
fn send_waits_above_the_high_water_mark_and_goes_on_below_it() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let setup = setup.timeless().config(|config| config.limits.high_water = 1000);
        let mut running = setup.start(&world, |mut socket| async move {
            socket.recv().await?;
            for n in 0..20 {
                socket.send(vec![n; 300]).await?;
                told.push(n);
            }
            socket.recv().await?;
            Ok(())
        });
        world.run();
        running.peer.from.set_capacity(0);
        running.peer.send_text("go");
        world.run();
        assert_eq!(log.len(), 4, "4 × 300 is above the mark, 3 × 300 is not");
        running.peer.from.set_capacity(100);
        world.run();
        assert_eq!(log.len(), 4);
        let mut got = Vec::new();
        while got.len() < 20 {
            got.extend(running.peer.frames());
            world.run();
            assert!(log.len() <= got.len() + 5, "no more than the mark allows: {setup:?}");
        }
        assert_eq!(got, (0..20).map(|n| Frame(BINARY, vec![n; 300])).collect::<Vec<_>>());
        assert_eq!(log.len(), 20);
    }
}

#[test]
fn many_who_wait_for_room_all_get_their_turn() {
    for setup in setups() {
        let world = World::new(7);
        let setup = setup.timeless().config(|config| {
            config.limits.high_water = 100;
            config.limits.hard_cap = 150;
        });
        let mut running = setup.start(&world, |mut socket| async move {
            for who in 0..50u8 {
                let sender = socket.sender();
                spawn_here("sender", async move {
                    for n in 0..10 {
                        sender.send(vec![who, n, 0, 0, 0, 0]).await.unwrap();
                    }
                });
            }
            socket.recv().await?;
            Ok(())
        });
        running.peer.from.set_capacity(64);
        let mut got: Vec<Vec<u8>> = vec![Vec::new(); 50];
        for _ in 0..10_000 {
            world.run();
            for frame in running.peer.frames() {
                got[frame.1[0] as usize].push(frame.1[1]);
            }
        }
        for from_one in got {
            assert_eq!(from_one, (0..10).collect::<Vec<u8>>(), "each one's in order: {setup:?}");
        }
    }
}

#[test]
fn try_send_hands_the_message_back_at_the_cap() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.timeless().config(|config| {
            config.limits.high_water = 1000;
            config.limits.hard_cap = 5000;
        });
        let handed = Log::new();
        let hand = handed.clone();
        let mut running = setup.start(&world, |mut socket| async move {
            hand.push(socket.sender());
            while socket.recv().await?.is_some() {}
            Ok(())
        });
        world.run();
        let sender = handed.take().remove(0);
        running.peer.from.set_capacity(0);
        let mut sent = 0;
        let refused = loop {
            match sender.try_send(vec![sent; 700]) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert!((6..=7).contains(&sent), "{sent}");
        let SendError::Full(message) = refused else { panic!("{refused:?}") };
        assert_eq!(message, Message::from(vec![sent; 700]));
        assert!(sender.try_send("small").is_ok(), "there is still room for something smaller");
        running.peer.from.set_capacity(MIB);
        world.run();
        assert_eq!(running.peer.frames().len(), sent as usize + 1, "all or nothing: {setup:?}");
        sender.try_send(vec![0; 10_000]).expect("more than the cap, but the queue is empty");
    }
}

#[test]
fn a_sink_waits_for_room() {
    use futures_util::SinkExt;
    let world = World::new(1);
    let (mut socket, driver, mut peer) =
        Setup::new(Role::Server).timeless().config(|config| config.limits.high_water = 100).open(&world);
    world.spawn("driver", driver);
    peer.from.set_capacity(0);
    let log = Log::new();
    let told = log.clone();
    world.spawn("app", async move {
        for n in 0..10 {
            socket.feed(Message::from(vec![n; 60])).await.unwrap();
            told.push(n);
        }
        SinkExt::<Message>::flush(&mut socket).await.unwrap();
        told.push(99);
        std::mem::forget(socket);
    });
    world.run();
    assert_eq!(log.len(), 2);
    peer.from.set_capacity(MIB);
    world.run();
    assert_eq!(log.len(), 11);
    assert_eq!(peer.frames().len(), 10);
}

// ---- inbound ----

/// How many messages an application may take.
#[derive(Clone, Default)]
struct Permits(Rc<Cell<usize>>);

impl Permits {
    fn grant(&self, n: usize) {
        self.0.set(self.0.get() + n);
    }

    fn take_one(&self) -> bool {
        let left = self.0.get().checked_sub(1);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Takes as many messages as it may, and looks every second whether it may take more.
async fn slow_reader(mut socket: WebSocket, permits: Permits, got: Log<String>) -> Result<(), Error> {
    loop {
        if !permits.take_one() {
            sleep(secs(1)).await;
            continue;
        }
        match socket.recv().await? {
            Some(message) => got.push(message.as_text().unwrap_or_default().to_owned()),
            None => return Ok(()),
        }
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn with_16_messages_waiting_reading_stops_until_half_are_taken() {
    for setup in setups() {
        for together in [true, false] {
            let world = World::new(1);
            let (permits, got) = (Permits::default(), Log::new());
            let (may, taken) = (permits.clone(), got.clone());
            let setup = setup.timeless().link(|link| {
                if !together {
                    link.chunk = 3
                }
            });
            let mut running = setup.start(&world, |socket| async move { Ok(slow_reader(socket, may, taken).await?) });
            world.run();
            let frames: Vec<_> = (0..40).map(|n| running.peer.frame(TEXT, n.to_string())).collect();
            running.peer.send_together(&frames);
            running.peer.send(PING, "behind all of them");
            world.advance(secs(1));
            let left = running.peer.to.len();
            match together {
                true => assert_eq!(left, 0, "one read took it all"),
                false => assert!(left > 24 * frames[0].len() - 3, "24 messages are still in the transport: {left}"),
            }
            permits.grant(7);
            world.advance(secs(1));
            assert_eq!(got.take(), numbers(0..7));
            assert_eq!(running.peer.to.len(), left, "9 are waiting: no reading yet");
            permits.grant(1);
            world.advance(secs(1));
            assert_eq!(got.take(), numbers(7..8));
            if !together {
                assert!(running.peer.to.len() < left, "8 are waiting: reading goes on");
            }
            assert_eq!(running.peer.frames(), []);
            permits.grant(100);
            world.advance(secs(3));
            assert_eq!(got.take(), numbers(8..40), "{setup:?}");
            assert_eq!(running.peer.frames(), [pong(b"behind all of them")]);
        }
    }
}

#[test]
fn the_size_of_the_inbound_queue_can_be_set() {
    for (inbound, limit) in [(0, 1), (1, 1), (2, 2), (1000, 1000)] {
        for setup in setups() {
            let world = World::new(1);
            let setup = Setup { inbound, ..setup.timeless() }.link(|link| link.chunk = 3);
            let (permits, got) = (Permits::default(), Log::new());
            let (may, taken) = (permits.clone(), got.clone());
            let running = setup.start(&world, |socket| async move { Ok(slow_reader(socket, may, taken).await?) });
            world.run();
            let len = running.peer.frame(TEXT, "0001").len();
            for n in 0..1200 {
                running.peer.send_text(&format!("{n:04}"));
            }
            world.advance(secs(1));
            let read = 1200 - running.peer.to.len().div_ceil(len);
            assert!((limit..=limit + 1).contains(&read), "{read} of {limit}");
            permits.grant(1200);
            world.advance(secs(3));
            assert_eq!(got.len(), 1200, "{setup:?}");
        }
    }
}

#[test]
fn keepalive_spares_a_connection_whose_application_is_slow() {
    for setup in setups() {
        let world = World::new(1);
        let (permits, got) = (Permits::default(), Log::new());
        let (may, taken) = (permits.clone(), got.clone());
        let setup = setup.link(|link| link.chunk = 1000);
        let mut running = setup.start(&world, |socket| async move { Ok(slow_reader(socket, may, taken).await?) });
        world.run();
        for n in 0..1000 {
            running.peer.send_text(&n.to_string());
        }
        // The pongs wait behind all the messages: the peer is alive, but nobody reads what it says.
        for _ in 0..1000 {
            permits.grant(1);
            world.advance(secs(1));
            for Frame(first, payload) in running.peer.frames() {
                assert_eq!(first, PING, "{setup:?}: {:?}", String::from_utf8_lossy(&payload));
                running.peer.send(PONG, payload);
            }
        }
        assert_eq!(got.take(), numbers(0..1000));
        // Now the application keeps up, and a peer that stops answering is found.
        permits.grant(10);
        world.advance(secs(41));
        assert_eq!(running.peer.frames().last(), Some(&close(1011, "keepalive ping timeout")));
    }
}

#[test]
fn a_peer_that_is_gone_is_found_although_the_queue_is_full() {
    for setup in setups() {
        for gone_after in [1, 30, 300] {
            let world = World::new(1);
            let running = setup.start(&world, |socket| async move {
                let _socket = socket;
                std::future::pending().await
            });
            world.run();
            for n in 0..17 {
                running.peer.send_text(&n.to_string());
            }
            world.advance(secs(gone_after));
            assert!(!running.peer.from.is_writer_gone());
            running.peer.reset();
            // Nothing is read while the queue is full: only a write can tell.
            world.advance(secs(100));
            assert!(running.peer.from.is_writer_gone(), "gone after {gone_after} s, {setup:?}");
        }
    }
}

#[test]
fn a_close_is_completed_although_messages_wait() {
    for setup in setups() {
        for waiting in [1, 15, 16, 17, 100] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let mut running = setup.start(&world, |socket| async move {
                sleep(secs(1)).await;
                told.push(socket.close(CloseCode::NORMAL, "enough").await);
                Ok(())
            });
            world.run();
            for n in 0..waiting {
                running.peer.send_text(&n.to_string());
            }
            world.advance(secs(1));
            assert_eq!(running.peer.frames(), [close(1000, "enough")]);
            running.peer.send_close(1000, "");
            running.peer.to.end();
            world.advance(secs(20));
            let result = log.take().remove(0);
            assert!(result.is_ok(), "{waiting} messages, {setup:?}: {result:?}");
        }
    }
}

#[test]
fn messages_can_be_taken_while_closing() {
    for setup in setups() {
        let world = World::new(1);
        let got = Log::new();
        let taken = got.clone();
        let running = setup.timeless().start(&world, |mut socket| async move {
            let sender = socket.sender();
            let closing = async {
                sleep(secs(1)).await;
                let outcome = sender.close(CloseCode::NORMAL, "").await;
                assert!(outcome.unwrap().is_normal());
            };
            let receiving = async {
                while let Some(message) = socket.recv().await.unwrap() {
                    taken.push(message.as_text().unwrap().to_owned());
                }
            };
            future::join(closing, receiving).await;
            Ok(())
        });
        world.advance(secs(2));
        for n in 0..50 {
            running.peer.send_text(&n.to_string());
        }
        running.peer.send_close(1000, "");
        running.peer.to.end();
        world.advance(Duration::ZERO);
        assert_eq!(got.take(), numbers(0..50), "{setup:?}");
        assert!(running.driver.is_finished());
    }
}
