//! Nobody is polled who has nothing to do: not while idle, not while blocked, not at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::FutureExt;
use ws_proto::Role;
use ws_session::CloseCode;

use crate::sim::*;

/// How often the tasks of an endpoint are polled in an hour.
fn polls_in_an_hour(world: &World, running: &Running) -> u64 {
    let before = running.polls();
    world.advance(secs(3600));
    running.polls() - before
}

/// An endpoint that takes what comes.
fn listen(world: &World, setup: &Setup) -> Running {
    let running = setup.start(world, |mut socket| async move {
        while socket.recv().await?.is_some() {}
        Ok(())
    });
    // The handshake's own deadline is over then.
    world.advance(secs(11));
    running
}

#[test]
fn an_idle_connection_without_keepalive_is_never_polled() {
    for setup in setups() {
        let world = World::new(1);
        let running = listen(&world, &setup.timeless());
        assert_eq!(polls_in_an_hour(&world, &running), 0, "{setup:?}");
    }
}

#[test]
fn keepalive_costs_a_few_polls_each_interval() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = listen(&world, &setup);
        let before = running.polls();
        let mut pings = 0;
        for _ in 0..3600 {
            world.advance(secs(1));
            for Frame(first, payload) in running.peer.frames() {
                assert_eq!(first, PING);
                pings += 1;
                running.peer.send(PONG, payload);
            }
        }
        assert_eq!(pings, 180);
        let polls = running.polls() - before;
        assert!(polls <= 4 * pings, "{polls} polls for {pings} pings, {setup:?}");
    }
}

#[test]
fn a_blocked_write_is_waited_for_without_polling() {
    for setup in setups() {
        let world = World::new(1);
        let running = setup.timeless().link(|link| link.capacity = 100).start(&world, |socket| async move {
            loop {
                socket.send(vec![0; 100_000]).await?;
            }
        });
        world.advance(secs(11));
        assert_eq!(polls_in_an_hour(&world, &running), 0, "{setup:?}");
    }
}

#[test]
fn a_blocked_flush_is_waited_for_without_polling() {
    for setup in setups() {
        let world = World::new(1);
        let running = setup.timeless().link(|link| link.buffered = true).start(&world, |mut socket| async move {
            socket.recv().await?;
            socket.send("x").await?;
            socket.flush().await?;
            Ok(())
        });
        world.advance(secs(11));
        running.peer.from.stall_flushes(true);
        running.peer.send_text("go");
        world.run();
        assert_eq!(polls_in_an_hour(&world, &running), 0, "{setup:?}");
    }
}

#[test]
fn a_full_inbound_queue_is_waited_for_without_polling() {
    for setup in setups() {
        for together in [true, false] {
            let world = World::new(1);
            let setup = setup.timeless().link(|link| {
                if !together {
                    link.chunk = 3
                }
            });
            let running = setup.start(&world, |socket| async move {
                let _socket = socket;
                std::future::pending().await
            });
            for n in 0..100 {
                running.peer.send_text(&n.to_string());
            }
            world.advance(secs(11));
            let reads = running.peer.to.reads();
            assert_eq!(polls_in_an_hour(&world, &running), 0, "{setup:?}");
            assert_eq!(running.peer.to.reads(), reads);
        }
    }
}

#[test]
fn a_half_closed_connection_is_not_polled_until_its_deadline() {
    for setup in setups() {
        for ending in ["we close", "peer closes", "violation", "peer ends while we owe it a lot"] {
            let world = World::new(1);
            let setup = setup.config(|config| config.deadlines.close = secs(3000));
            let setup = setup.config(|config| config.deadlines.close_total = secs(3000));
            let setup = setup.config(|config| config.deadlines.discard = secs(3000));
            let running = setup.timeless().start(&world, |mut socket| async move {
                while let Ok(Some(message)) = socket.recv().await {
                    match message.as_text() {
                        Some("close") => drop(socket.close(CloseCode::NORMAL, "")),
                        _ => socket.send(vec![0; 100_000]).await?,
                    }
                }
                Ok(())
            });
            world.advance(secs(11));
            match ending {
                "we close" => running.peer.send_text("close"),
                "peer closes" => running.peer.send_close(1000, ""),
                "violation" => running.peer.send(0x83, ""),
                _ => {
                    running.peer.from.set_capacity(10);
                    running.peer.send_together(&[running.peer.frame(TEXT, "more"), running.peer.close_frame(1000, "")]);
                    running.peer.to.end();
                }
            }
            world.advance(secs(2));
            assert!(!running.peer.from.is_writer_gone(), "{ending}");
            let before = running.polls();
            world.advance(secs(2900));
            let polls = running.polls() - before;
            assert!(polls <= 1, "{polls} polls, {ending}, {setup:?}");
            world.advance(secs(200));
            assert!(running.peer.from.is_writer_gone());
        }
    }
}

#[test]
fn a_slow_transport_costs_no_more_polls_than_it_gives_reasons() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.timeless().link(|link| link.capacity = 1000);
        let mut running = setup.start(&world, |mut socket| async move {
            socket.send(vec![0; 100_000]).await?;
            socket.flush().await?;
            socket.recv().await?;
            Ok(())
        });
        world.advance(secs(11));
        let (before, mut drained) = (running.polls(), 0);
        while running.peer.frames().is_empty() {
            drained += 1;
            world.advance(secs(1));
        }
        let polls = running.polls() - before;
        assert!(drained >= 99);
        assert!(polls <= 3 * drained, "{polls} polls for {drained} writes, {setup:?}");
    }
}

#[test]
fn messages_that_come_and_go_do_not_touch_the_timer() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.start(&world, send_back);
        world.run();
        let before = world.alarms_set();
        for n in 0..1000 {
            running.peer.send_text(&n.to_string());
            world.advance(millis(10));
        }
        assert_eq!(running.peer.frames().len(), 1000);
        let set = world.alarms_set() - before;
        assert!(set <= 3, "{set} times set for 1000 messages, {setup:?}");
    }
}

#[test]
fn a_deadline_that_moves_forward_is_met() {
    // A timer armed for later must not hide a deadline that comes up earlier.
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.config(|config| {
            config.deadlines.ping_interval = Some(secs(1000));
            config.deadlines.close = secs(3);
        });
        let mut running = setup.start(&world, |mut socket| async move {
            while let Ok(Some(_)) = socket.recv().await {
                drop(socket.close(CloseCode::NORMAL, ""));
            }
            Ok(())
        });
        world.advance(secs(100));
        running.peer.send_text("close");
        world.advance(secs(3) - millis(1));
        assert_eq!(running.peer.frames(), [close(1000, "")]);
        assert!(!running.peer.from.is_writer_gone());
        world.advance(millis(1));
        assert!(running.peer.from.is_writer_gone(), "{setup:?}");
    }
}

#[test]
fn a_driver_that_changes_tasks_is_woken_in_the_new_one() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (mut socket, mut driver, mut peer) = Setup::new(role).open(&world);
        for n in 0..5 {
            // A few polls in a task that then gives it away.
            let task = world.spawn("driver for a while", async move {
                for _ in 0..n {
                    assert!((&mut driver).now_or_never().is_none());
                    assert!(futures_util::future::poll_immediate(&mut driver).await.is_none());
                }
                Some(driver)
            });
            driver = world.finish(&task).unwrap();
        }
        let driver = world.spawn("driver at last", driver);
        world.run();
        peer.send(PING, "1");
        world.run();
        assert_eq!(peer.frames(), [pong(b"1")]);
        socket.sender().try_send("out").unwrap();
        world.run();
        assert_eq!(peer.frames(), [text("out")]);
        world.advance(secs(20));
        assert_eq!(peer.frames().len(), 1, "keepalive's ping");
        peer.send_text("in");
        assert_eq!(world.at_once(async move { socket.recv().await.unwrap() }), Some("in".into()));
        world.run();
        assert_eq!(peer.frames(), [close(1001, "")]);
        assert!(!driver.is_finished());
    }
}

#[test]
fn a_receiver_that_changes_tasks_is_woken_in_the_new_one() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (mut socket, driver, peer) = Setup::new(role).open(&world);
        world.spawn("driver", driver);
        for _ in 0..3 {
            socket = world.at_once(async move {
                assert!(futures_util::future::poll_immediate(socket.recv()).await.is_none());
                socket
            });
        }
        let task = world.spawn("receiver at last", async move { socket.recv().await });
        world.run();
        peer.send_text("in");
        world.run();
        assert_eq!(task.take().unwrap().unwrap(), Some("in".into()));
    }
}

struct Idle(#[allow(dead_code)] Arc<AtomicUsize>);

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_task_that_gave_up_waiting_is_forgotten() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, _peer) = Setup::new(role).timeless().open(&world);
        world.spawn("driver", driver);
        world.run();
        let alive = Arc::new(AtomicUsize::new(0));
        for _ in 0..1000 {
            // Each in a task of its own, that is over then.
            alive.fetch_add(1, Ordering::Relaxed);
            let waker = Waker::from(Arc::new(Idle(Arc::clone(&alive))));
            let mut closed = Box::pin(socket.closed());
            assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let alive = alive.load(Ordering::Relaxed);
        assert!(alive <= 100, "{alive} wakers of tasks that are gone are kept");
    }
}

#[test]
fn a_driver_that_has_ended_is_forgotten() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, mut driver, mut peer) = Setup::new(role).open(&world);
        let alive = Arc::new(AtomicUsize::new(1));
        let waker = Waker::from(Arc::new(Idle(Arc::clone(&alive))));
        let mut cx = Context::from_waker(&waker);
        assert!(driver.poll_unpin(&mut cx).is_pending());
        peer.send_close(1000, "");
        peer.leave();
        drop(socket.close(CloseCode::NORMAL, ""));
        assert!(driver.poll_unpin(&mut cx).is_ready());
        drop((driver, waker));
        assert_eq!(alive.load(Ordering::Relaxed), 0, "a handle keeps the memory of a task that is over");
        drop(socket);
    }
}
