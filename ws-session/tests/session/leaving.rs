//! Drivers and handles that are dropped before their connection has ended: what was queued is written, without waiting.

use std::cell::RefCell;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use futures_util::SinkExt as _;
use ws_proto::{Cause, Role};
use ws_session::{CloseCode, Message, Sender, WebSocket};

use crate::sim::{BINARY, Driver, PONG, Peer, Setup, Sim, TEXT, World, close, millis, setups, text};

#[test]
fn a_dropped_driver_writes_what_was_queued_and_a_close_behind_it() {
    for setup in setups() {
        // One that has run before, and one that never has.
        for has_run in [true, false] {
            let world = World::new(1);
            let (socket, driver, mut peer) = setup.open(&world);
            let sender = socket.sender();
            let task = world.spawn(
                "driver",
                driver.run(async move {
                    socket.closed().await;
                    Ok(())
                }),
            );
            if has_run {
                world.run();
            }
            for n in 0..100 {
                sender.try_send(format!("{n}")).unwrap();
            }
            world.cancel(&task);
            let frames = peer.frames();
            assert_eq!(frames.len(), 101, "{setup:?}, {has_run}");
            assert!(
                frames[..100]
                    .iter()
                    .enumerate()
                    .all(|(n, frame)| frame.0 == TEXT && frame.1 == n.to_string().into_bytes())
            );
            assert_eq!(frames[100], close(1001, ""));
            assert!(peer.from.is_writer_gone());
            assert!(!sender.is_open());
            assert_eq!(world.at_once(async move { sender.closed().await }).cause, Cause::Aborted);
        }
    }
}

/// Other thread-locals, random generators among them, may be gone by then.
#[test]
fn a_connection_in_a_thread_local_sends_its_close_when_the_thread_ends() {
    thread_local! {
        static HELD: RefCell<Option<(WebSocket, Driver)>> = const { RefCell::new(None) };
    }
    for role in [Role::Server, Role::Client] {
        let ended = thread::spawn(move || {
            // Its destructor is registered first, and so runs last.
            HELD.with_borrow_mut(|held| assert!(held.is_none()));
            let _ = rand::random::<u32>();
            let world = World::new(1);
            let (socket, driver, peer) = Setup::new(role).open(&world);
            socket.sender().try_send("before").unwrap();
            HELD.set(Some((socket, driver)));
            peer
        });
        let mut peer = ended.join().unwrap();
        assert_eq!(peer.frames(), [text("before"), close(1001, "")], "{role:?}");
    }
}

#[test]
fn a_driver_dropped_while_closing_sends_that_close() {
    for setup in setups() {
        let world = World::new(1);
        let (socket, driver, mut peer) = setup.open(&world);
        socket.sender().try_send("before").unwrap();
        drop(socket.close(CloseCode::from(4000), "bye"));
        drop(driver);
        assert_eq!(peer.frames()[1], close(4000, "bye"), "{setup:?}");
    }
}

#[test]
fn a_dropped_driver_answers_a_close_that_was_put_off() {
    for setup in setups() {
        let world = World::new(1);
        let (socket, driver, mut peer) = setup.open(&world);
        let task = world.spawn("driver", driver);
        peer.send_text("not received yet");
        peer.send_close(1000, "");
        world.run();
        assert_eq!(peer.frames(), [], "{setup:?}");
        world.cancel(&task);
        assert_eq!(peer.frames(), [close(1000, "")], "{setup:?}");
        drop(socket);
    }
}

#[test]
fn a_dropped_driver_waits_for_nothing() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.link(|link| link.capacity = 1000);
        let (socket, driver, mut peer) = setup.open(&world);
        socket.sender().try_send(vec![7; 10_000]).unwrap();
        drop(driver);
        // What the link takes, and not a byte more.
        assert_eq!(peer.from.len(), 1000, "{setup:?}");
        assert_eq!(peer.bytes()[0], BINARY);
        assert!(peer.from.is_writer_gone());
        drop(socket);

        // One whose transport fails says no more.
        let (socket, driver, mut peer) = setup.open(&world);
        socket.sender().try_send("x").unwrap();
        peer.from.fail_writes(ErrorKind::ConnectionReset);
        drop((driver, socket));
        assert!(peer.bytes().is_empty());
    }
}

#[test]
fn a_dropped_driver_leaves_no_input_that_would_reset_the_connection() {
    for setup in setups() {
        let world = World::new(1);
        let setup = setup.link(|link| link.resets = true);
        let (socket, driver, mut peer) = setup.open(&world);
        socket.sender().try_send("last words").unwrap();
        peer.send(BINARY, vec![7; 100_000]);
        drop((driver, socket));
        let frames = peer.frames();
        assert_eq!(frames.len(), 2, "{setup:?}: {frames:?}");
    }
}

#[test]
fn a_driver_whose_time_is_up_says_no_more() {
    for setup in setups() {
        let world = World::new(1);
        let (socket, driver, mut peer) = setup.open(&world);
        let task = world.spawn("driver", driver);
        drop(socket.close(CloseCode::NORMAL, ""));
        world.advance(millis(60_000));
        assert!(task.is_finished());
        assert_eq!(peer.frames(), [close(1000, "")], "{setup:?}");
        drop(socket);
    }
}

// ---- where tasks may die with the process, as those of this world that are not polled any more ----

/// An endpoint whose driver has a task that handles can reach.
fn spawned(world: &World, role: Role, has_run: bool) -> (WebSocket, Peer) {
    let (socket, driver, peer) = Setup::new(role).open(world);
    match has_run {
        true => world.at_once(async { driver.spawn::<Sim>() }),
        // The world looks for new tasks when another has been polled.
        false => driver.spawn::<Sim>(),
    }
    (socket, peer)
}

#[test]
fn a_dropped_socket_writes_what_was_queued_and_closes() {
    for (role, has_run) in [Role::Server, Role::Client].into_iter().flat_map(|role| [(role, true), (role, false)]) {
        let world = World::new(1);
        let (mut socket, mut peer) = spawned(&world, role, has_run);
        world.at_once(async move {
            for n in 0..100 {
                socket.feed(Message::from(format!("{n}"))).await.unwrap();
            }
            // Here the driver's task has not been polled again.
            drop(socket);
        });
        let frames = peer.frames();
        assert_eq!((frames.len(), frames.last()), (101, Some(&close(1001, ""))), "{role:?}, {has_run}");

        // If it is, it ends as it would have.
        peer.send_close(1001, "");
        peer.leave();
        world.run();
        assert_eq!((world.tasks(), peer.from.is_writer_gone()), (0, true), "{role:?}, {has_run}");
    }
}

#[test]
fn a_dropped_sender_writes_what_was_queued_and_the_connection_goes_on() {
    for (role, has_run) in [Role::Server, Role::Client].into_iter().flat_map(|role| [(role, true), (role, false)]) {
        let world = World::new(1);
        let (mut socket, mut peer) = spawned(&world, role, has_run);
        let sender = socket.sender();
        sender.try_send("1").unwrap();
        sender.try_send("2").unwrap();
        assert_eq!(peer.frames(), [], "{role:?}, {has_run}: not each message is flushed");
        drop(sender);
        assert_eq!(peer.frames().len(), 2, "{role:?}, {has_run}");
        let writes = peer.from.writes();
        drop(socket.sender());
        assert_eq!(peer.from.writes(), writes, "there is nothing to write");
        peer.send_text("go on");
        world.at_once(async move { assert_eq!(socket.recv().await.unwrap().unwrap(), "go on") });
    }
}

#[test]
fn a_handle_that_is_dropped_within_its_driver_waits_for_nothing() {
    struct Holding(Mutex<Option<WebSocket>>);
    impl Wake for Holding {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, mut peer) = spawned(&world, role, true);
        let sender = socket.sender();
        let holding = Arc::new(Holding(Mutex::new(Some(socket))));
        let waker = Waker::from(Arc::clone(&holding));
        let mut flushed = Box::pin(sender.ping());
        assert!(flushed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        world.run();
        let ping = peer.frames().remove(0);
        peer.send(PONG, ping.1);
        world.run();
        assert!(holding.0.lock().unwrap().is_none());
        assert!(flushed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        drop(flushed);
        drop(sender);
        assert_eq!(peer.frames(), [close(1001, "")], "{role:?}");
    }
}

#[test]
fn a_handle_that_is_dropped_within_another_driver_wakes_its_own() {
    struct Holding(Mutex<Option<Sender>>);
    impl Wake for Holding {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (one, mut first) = spawned(&world, role, true);
        let (other, mut second) = spawned(&world, role, true);
        let waker = Waker::from(Arc::new(Holding(Mutex::new(Some(other.send_only())))));
        world.run();
        let sender = one.sender();
        let mut pinging = Box::pin(sender.ping());
        assert!(pinging.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert_eq!(second.frames(), [], "{role:?}");
        world.run();
        let ping = first.frames().remove(0);
        first.send(PONG, ping.1);
        world.run();
        assert_eq!(second.frames(), [close(1001, "")], "{role:?}");
        drop(pinging);
        drop((one, sender));
    }
}

#[test]
fn a_connection_stays_open_while_somebody_can_send() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, mut peer) = Setup::new(role).open(&world);
        let task = world.spawn("driver", driver);
        let (one, other) = (socket.sender(), socket.sender());
        drop((socket, one));
        world.run();
        assert_eq!(peer.frames(), [], "{role:?}");
        other.try_send("still here").unwrap();
        world.run();
        assert_eq!(peer.frames().len(), 1);
        drop(other);
        world.run();
        assert_eq!(peer.frames(), [close(1001, "")], "{role:?}");
        peer.send_close(1001, "");
        peer.leave();
        world.run();
        assert!(task.is_finished());
    }
}
