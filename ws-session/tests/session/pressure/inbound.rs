//! The inbound queue, and an application that is slow to take from it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future;
use ws_session::{CloseCode, Error, WebSocket};

use crate::sim::*;

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
