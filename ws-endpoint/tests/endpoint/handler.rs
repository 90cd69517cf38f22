//! A handler beside its driver: the connection lives on while the handler does something else, and ends with it.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::rc::Rc;
use std::task::Poll;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, future};
use ws_endpoint::{BoxError, Cause, CloseCode, HandlerError, HandlerResult, WebSocket};
use ws_proto::Role;

use crate::sim::*;

fn beside(role: Role) -> Setup {
    Setup { beside: true, ..Setup::new(role) }
}

const ROLES: [Role; 2] = [Role::Server, Role::Client];

// ---- while the handler is busy ----

#[test]
fn a_sleeping_handler_answers_pings() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, |socket| async move {
            let _socket = socket;
            sleep(secs(60)).await;
            Ok(())
        });
        for n in 0..59 {
            world.advance(secs(1));
            running.peer.send(PING, [n]);
            world.run();
            let frames = running.peer.frames();
            assert!(frames.contains(&pong(&[n])), "{frames:?}");
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
        let mut running = beside(role).start(&world, |socket| async move {
            let _socket = socket;
            sleep(secs(60)).await;
            Ok(())
        });
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
        world.advance(secs(20));
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
                while let Ok(time) = sender.ping().await {
                    sleep(secs(5) - time).await;
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
fn what_others_send_meanwhile_goes_out() {
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
fn what_is_sent_from_within_a_poll_goes_out() {
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

// ---- the end of the handler ----

/// How the connection ends when the handler ends like this, and what `run` says.
fn ended<F>(role: Role, handler: impl FnOnce(WebSocket) -> F) -> (Vec<Frame>, Result<(), HandlerError>)
where
    F: Future<Output = HandlerResult> + 'static,
{
    let world = World::new(1);
    let mut running = beside(role).start(&world, handler);
    world.run();
    let frames = running.peer.frames();
    assert!(!running.driver.is_finished(), "the peer's Close is awaited");
    running.peer.send_close(1000, "");
    running.peer.to.end();
    world.run();
    assert!(running.peer.from.is_writer_gone());
    assert_eq!(world.now(), secs(0));
    (frames, running.driver.take().expect("done"))
}

#[test]
fn ok_closes_with_1000() {
    for role in ROLES {
        let (frames, result) = ended(role, |socket| async move {
            socket.send("last words").await?;
            Ok(())
        });
        assert_eq!(frames, [text("last words"), close(1000, "")]);
        assert!(result.is_ok());
    }
}

#[test]
fn an_error_closes_with_1011() {
    for role in ROLES {
        let (frames, result) = ended(role, |socket| async move {
            socket.send("last words").await?;
            Err("the database is gone".into())
        });
        assert_eq!(frames, [text("last words"), close(1011, "internal error")], "why is nobody else's business");
        let Err(HandlerError::Failed(error)) = result else { panic!("{result:?}") };
        assert_eq!(error.to_string(), "the database is gone");
    }
}

#[test]
fn a_panic_closes_with_1011_and_is_reported() {
    type Panic = fn() -> HandlerResult;
    let panics: [(Panic, &str); 3] = [
        (|| panic!("a literal"), "a literal"),
        (|| panic!("a number: {}", 7), "a number: 7"),
        (|| panic_any(7), "(no message)"),
    ];
    for role in ROLES {
        for (panic, said) in panics {
            let (frames, result) = ended(role, |socket| async move {
                socket.send("last words").await?;
                yield_now().await;
                panic()
            });
            assert_eq!(frames, [text("last words"), close(1011, "internal error")]);
            let Err(HandlerError::Panicked(message)) = result else { panic!("{result:?}") };
            assert_eq!(message, said);
        }
    }
}

#[test]
fn a_panic_while_the_socket_is_in_use_leaves_it_usable() {
    let world = World::new(1);
    let handed = Log::new();
    let hand = handed.clone();
    let mut running = beside(Role::Server).start(&world, |mut socket| async move {
        hand.push(socket.sender());
        socket.recv().await?;
        panic!("in the middle")
    });
    world.run();
    let sender = handed.take().remove(0);
    running.peer.send_together(&[running.peer.frame(TEXT, "1"), running.peer.frame(TEXT, "2")]);
    let closed = world.spawn("closed", async move { sender.closed().await });
    world.run();
    assert_eq!(running.peer.frames(), [close(1011, "internal error")]);
    running.peer.send_close(1011, "");
    running.peer.to.end();
    world.run();
    assert_eq!(closed.take().unwrap().sent.unwrap().code, CloseCode::INTERNAL_ERROR);
    assert!(matches!(running.driver.take(), Some(Err(HandlerError::Panicked(_)))));
}

#[test]
fn a_close_of_the_handlers_own_comes_first() {
    for role in ROLES {
        let (frames, result) = ended(role, |socket| async move {
            // Begun with the call; nobody waits for it.
            drop(socket.close(4321.into(), "mine"));
            Err(BoxError::from("whatever"))
        });
        assert_eq!(frames, [close(4321, "mine")]);
        assert!(result.is_err());
    }
}

#[test]
fn messages_that_nobody_took_do_not_hold_up_the_end() {
    for role in ROLES {
        let world = World::new(1);
        let go = Gate::default();
        let gone = go.clone();
        let mut running = beside(role).start(&world, |socket| async move {
            let _socket = socket;
            gone.passed().await;
            Ok(())
        });
        for n in 0..100 {
            running.peer.send_text(&n.to_string());
        }
        world.run();
        running.peer.send_close(1000, "");
        running.peer.to.end();
        world.run();
        assert_eq!(running.peer.frames(), [], "the queue is full: the Close has not been read");
        go.open();
        world.run();
        assert_eq!(running.peer.frames(), [close(1000, "")]);
        assert!(running.driver.take().unwrap().is_ok());
        assert_eq!(world.now(), secs(0));
    }
}

#[test]
fn dropping_the_run_drops_handler_and_transport() {
    struct Told(Log<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.push("handler dropped");
        }
    }
    for role in ROLES {
        for polled in [false, true] {
            let world = World::new(1);
            let log = Log::new();
            let told = Told(log.clone());
            let handed = Log::new();
            let hand = handed.clone();
            let running = beside(role).start(&world, |socket| {
                hand.push(socket.sender());
                async move {
                    let _both = (socket, told);
                    pending().await
                }
            });
            if polled {
                world.run();
            }
            world.cancel(&running.driver);
            assert_eq!(log.take(), ["handler dropped"]);
            assert!(running.peer.from.is_writer_gone());
            let sender = handed.take().remove(0);
            assert!(sender.try_send("late").is_err());
            let outcome = world.at_once(async move { sender.closed().await });
            assert_eq!(outcome.cause, Cause::Aborted);
        }
    }
}

#[test]
fn when_the_connection_is_gone_the_handler_runs_on_undisturbed() {
    for role in ROLES {
        let world = World::new(1);
        let log = Log::new();
        let told = log.clone();
        let mut running = beside(role).start(&world, |mut socket| async move {
            while let Ok(Some(_)) = socket.recv().await {}
            told.push("ended");
            sleep(secs(3600)).await;
            told.push("cleaned up");
            Ok(())
        });
        running.peer.leave();
        world.advance(secs(1));
        assert_eq!(log.take(), ["ended"]);
        let before = running.polls();
        world.advance(secs(3598));
        assert_eq!(running.polls(), before);
        world.advance(secs(1));
        assert_eq!(log.take(), ["cleaned up"]);
        assert!(running.driver.take().unwrap().is_ok());
    }
}

#[test]
fn echo_of_many_messages_in_one_read_is_one_write() {
    for role in ROLES {
        let world = World::new(1);
        let mut running = beside(role).start(&world, |mut socket| async move {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await?;
            }
            Ok(())
        });
        world.run();
        let before = running.peer.from.writes();
        let frames: Vec<_> = (0..10).map(|n| running.peer.frame(BINARY, [n])).collect();
        running.peer.send_together(&frames);
        world.run();
        assert_eq!(running.peer.frames(), (0..10).map(|n| Frame(BINARY, vec![n])).collect::<Vec<_>>());
        assert_eq!(running.peer.from.writes() - before, 1, "flushed once per batch of input");
    }
}
