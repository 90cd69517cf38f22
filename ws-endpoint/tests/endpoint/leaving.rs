//! Drivers and handles that are dropped before their connection has ended: what was queued is written, without waiting.

use std::io::ErrorKind;

use ws_endpoint::CloseCode;
use ws_proto::Cause;

use crate::sim::{BINARY, TEXT, World, close, millis, setups};

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
        assert_eq!(peer.bytes(), []);
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
