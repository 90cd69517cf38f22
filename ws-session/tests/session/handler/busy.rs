//! While the handler is busy.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, future};
use ws_session::{Cause, CloseCode, HandlerResult, WebSocket};

use super::*;
use crate::sim::*;

/// Does nothing with its socket for a minute.
async fn sleeper(_socket: WebSocket) -> HandlerResult {
    sleep(secs(60)).await;
    Ok(())
}

#[test]
fn a_sleeping_handler_answers_pings() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, sleeper);
        for n in 0..59 {
            world.advance(secs(1));
            running.peer.send(PING, [n]);
            world.run();
            let frames = running.peer.frames();
            assert!(frames.contains(&pong([n])), "{frames:?}");
            // Keepalive's own pings want an answer too.
            for Frame(_, payload) in frames.iter().filter(|frame| frame.0 == PING) {
                running.peer.send(PONG, payload);
            }
        }
        world.advance(secs(1));
        assert_eq!(running.peer.frames().last(), Some(&close(1000, "")));
    }
}

#[test]
fn a_sleeping_handler_answers_a_close_within_the_deadline() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, sleeper);
        world.advance(secs(10));
        running.peer.send_together(&[running.peer.frame(TEXT, "unread"), running.peer.close_frame(4000, "bye")]);
        world.advance(millis(999));
        assert_eq!(running.peer.frames(), []);
        world.advance(millis(1));
        assert_eq!(running.peer.frames(), [close(4000, "")]);
        running.peer.to.end();
        world.run();
        assert!(running.peer.from.is_writer_gone(), "the transport goes, the handler stays");
        assert!(!running.driver.is_finished());
        assert!(world.finish(&running.driver).is_ok());
        assert_eq!(world.now(), secs(60));
    }
}

#[test]
fn a_handler_that_waits_for_messages_answers_a_close_at_once() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, |mut socket| async move {
            while socket.recv().await?.is_some() {}
            Ok(())
        });
        world.run();
        running.peer.send_close(1001, "");
        world.run();
        assert_eq!(running.peer.frames(), [close(1001, "")]);
        running.peer.to.end();
        world.run();
        assert!(running.driver.take().unwrap().is_ok());
    }
}

#[test]
fn a_dead_peer_is_found_while_the_handler_sleeps() {
    for role in ROLES {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = beside(role).start(&world, |mut socket| async move {
            sleep(secs(60)).await;
            told.push(socket.recv().await);
            told.push(Ok(Some("not again".into())));
            Ok(())
        });
        world.advance(secs(20));
        assert_eq!(running.peer.frames().len(), 1, "a ping");
        world.advance(secs(10));
        assert_eq!(running.peer.frames().len(), 1, "another");
        world.advance(secs(10));
        assert_eq!(running.peer.frames(), [close(1011, "keepalive ping timeout")]);
        assert!(running.peer.from.is_ended(), "half-closed behind its Close");
        assert!(!running.peer.from.is_writer_gone(), "it may be alive after all: it is given time to read that");
        world.advance(secs(2));
        assert!(running.peer.from.is_writer_gone());
        assert!(world.finish(&running.driver).is_ok());
        assert_eq!(world.now(), secs(60));
        let error = log.take().remove(0).unwrap_err();
        let outcome = error.closed().unwrap().outcome().clone();
        assert_eq!((outcome.cause, outcome.received), (Cause::KeepaliveTimeout, None));
    }
}

#[test]
fn a_handler_that_never_waits_leaves_room_for_its_driver() {
    for role in ROLES {
        let world = World::new(1);
        let stop = Gate::default();
        let stopped = stop.clone();
        let mut running = beside(role).start(&world, |_socket| async move {
            let mut stopped = Box::pin(stopped.passed());
            // Ready to run again whenever it has run.
            while future::poll_immediate(&mut stopped).await.is_none() {
                yield_now().await;
            }
            Ok(())
        });
        let peer_end = Rc::new(Cell::new(false));
        let done = Rc::clone(&peer_end);
        let wire = running.peer.from.clone();
        running.peer.send(PING, "1");
        world.spawn("watch", async move {
            while wire.len() == 0 {
                yield_now().await;
            }
            done.set(true);
            stop.open();
        });
        world.run();
        assert!(peer_end.get());
        assert_eq!(running.peer.frames(), [pong(b"1"), close(1000, "")]);
    }
}

#[test]
fn a_flood_of_messages_does_not_keep_a_handler_from_running() {
    for setup in setups() {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let stopping = Gate::default();
        let stop = stopping.clone();
        let running = setup.start(&world, |mut socket| async move {
            while let Some(message) = socket.recv().await? {
                told.push(message.len());
                if told.len() == 1000 {
                    stop.open();
                }
            }
            Ok(())
        });
        // More comes in than can be read in one go, for as long as it is read.
        let (to, frame) = (running.peer.to.clone(), running.peer.frame(BINARY, vec![0; 1000]).repeat(100));
        world.spawn("flood", async move {
            let mut stopping = Box::pin(stopping.passed());
            while future::poll_immediate(&mut stopping).await.is_none() {
                if to.len() < 1 << 20 {
                    to.push(&frame);
                }
                yield_now().await;
            }
        });
        world.run();
        assert!(log.len() >= 1000, "{setup:?}");
    }
}

#[test]
fn futures_of_the_handler_with_wakers_of_their_own_are_woken() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.timeless().start(&world, |mut socket| async move {
            let sender = socket.sender();
            let echo: future::LocalBoxFuture<'_, HandlerResult> = Box::pin(async {
                while let Some(message) = socket.recv().await? {
                    sender.send(message).await?;
                    sender.flush().await?;
                }
                Ok(())
            });
            let pinger = Box::pin(async {
                while let Ok(pong) = sender.ping().await {
                    sleep(secs(5) - pong.time).await;
                }
                Ok(())
            });
            let mut both: FuturesUnordered<_> = [echo, pinger].into_iter().collect();
            while both.next().await.transpose()?.is_some() {}
            Ok(())
        });
        for n in 0..10 {
            world.run();
            let ping = running.peer.frames().into_iter().find(|frame| frame.0 == PING).expect("a ping each 5 s");
            running.peer.send(PONG, &ping.1);
            running.peer.send_text(&n.to_string());
            world.run();
            assert_eq!(running.peer.frames(), [text(&n.to_string())], "in the same instant");
            world.advance(secs(5));
        }
        running.peer.send_close(1000, "");
        world.run();
        running.peer.to.end();
        assert!(world.finish(&running.driver).is_ok());
    }
}

#[test]
fn messages_of_other_tasks_go_out_meanwhile() {
    for role in ROLES {
        let world = World::new(1);
        let handed = Log::new();
        let hand = handed.clone();
        let mut running = beside(role).start(&world, |socket| async move {
            hand.push(socket.sender());
            pending().await
        });
        world.run();
        let sender = handed.take().remove(0);
        sender.try_send("from outside").unwrap();
        world.run();
        assert_eq!(running.peer.frames(), [text("from outside")]);
        let ping = {
            let sender = sender.clone();
            world.spawn("ping", async move { sender.ping().await })
        };
        world.run();
        let frames = running.peer.frames();
        running.peer.send(PONG, &frames[0].1);
        world.run();
        assert!(ping.take().unwrap().is_ok());
        let closing = world.spawn("close", async move { sender.close(CloseCode::NORMAL, "enough").await });
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "enough")]);
        running.peer.send_close(1000, "");
        running.peer.to.end();
        world.run();
        assert!(closing.take().unwrap().unwrap().is_normal());
        assert!(!running.driver.is_finished(), "the handler still waits for something");
    }
}

#[test]
fn messages_sent_from_within_a_poll_go_out() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, |socket| async move {
            let sender = socket.sender();
            let mut sent = 0;
            poll_fn(move |_| {
                // As another thread would while this one is being polled; nobody is woken by that.
                sent += 1;
                sender.try_send(format!("{sent}")).unwrap();
                Poll::<()>::Pending
            })
            .await;
            Ok(())
        });
        world.run();
        assert_eq!(running.peer.frames().first(), Some(&text("1")));
        running.peer.send(PING, "");
        world.run();
        assert!(running.peer.frames().contains(&pong(b"")));
        assert_eq!(running.peer.frames(), []);
    }
}

#[test]
fn a_socket_may_leave_its_handler_for_another_task() {
    for role in ROLES {
        let world = World::new(1);
        let done = Gate::default();
        let is_done = done.clone();
        let mut running = beside(role).start(&world, |mut socket| async move {
            spawn_here("elsewhere", async move {
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(message).await.unwrap();
                }
                done.open();
            });
            is_done.passed().await;
            Ok(())
        });
        for n in 0..40 {
            running.peer.send_text(&n.to_string());
        }
        world.run();
        let expected: Vec<_> = (0..40).map(|n| text(&n.to_string())).collect();
        assert_eq!(running.peer.frames(), expected);
        running.peer.send_close(1000, "");
        running.peer.to.end();
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "")]);
        assert!(running.driver.take().unwrap().is_ok());
    }
}

#[test]
fn echo_of_many_messages_in_one_read_is_one_write() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, send_back);
        world.run();
        let before = running.peer.from.writes();
        let frames: Vec<_> = (0..10).map(|n| running.peer.frame(BINARY, [n])).collect();
        running.peer.send_together(&frames);
        world.run();
        assert_eq!(running.peer.frames(), (0..10).map(|n| Frame(BINARY, vec![n])).collect::<Vec<_>>());
        assert_eq!(running.peer.from.writes() - before, 1, "flushed once per batch of input");
    }
}
