//! The end of the handler, and what becomes of the connection; the end of the connection, and what becomes of the handler.

use std::future::pending;
use std::panic::panic_any;

use ws_proto::Role;
use ws_session::{BoxError, Cause, CloseCode, HandlerError, HandlerResult, WebSocket};

use super::*;
use crate::sim::*;

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
            drop(socket.close(4321, "mine"));
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
