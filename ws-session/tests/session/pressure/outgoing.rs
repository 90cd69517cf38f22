//! Senders: the high-water mark and the hard cap.

use ws_proto::Role;
use ws_session::{Message, SendError};

use crate::sim::*;

use super::MIB;

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
fn senders_that_wait_for_room_all_get_their_turn() {
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
