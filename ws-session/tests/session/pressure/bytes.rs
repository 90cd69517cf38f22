//! How many bytes wait, on both sides.

use std::time::Duration;

use ws_proto::Role;
use ws_session::{Bytes, CloseCode, Config, Error, WebSocket};

use crate::sim::*;

use super::MIB;

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
fn messages_that_come_while_the_end_is_awaited_are_bounded_in_bytes_too() {
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
