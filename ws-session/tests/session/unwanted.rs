//! Applications that only send.

use ws_proto::Role;
use ws_session::{CloseCode, Error, HandlerResult, SendError, Unwanted, WebSocket};

use crate::sim::{Log, PING, Setup, World, close, pong, secs, setups, sleep, text};

/// How an application says that it takes no messages.
const WAYS: [fn(WebSocket) -> ws_session::Sender; 2] = [WebSocket::send_only, |socket| socket.sender()];

#[test]
fn an_application_that_only_sends_sees_pings_and_the_close_behind_unread_messages() {
    for (setup, way) in setups().into_iter().flat_map(|setup| WAYS.map(|way| (setup.clone(), way))) {
        let world = World::new(1);
        let (discarded, ends) = (Log::new(), Log::new());
        let (counts, tell) = (discarded.clone(), ends.clone());
        let mut running = setup.timeless().start(&world, |socket| async move {
            // The peer's first messages are there before.
            sleep(secs(1)).await;
            let sender = way(socket);
            let end = loop {
                if let Err(error) = sender.send("tick").await {
                    break error;
                }
                sleep(secs(1)).await;
            };
            counts.push(sender.discarded());
            tell.push(end);
            Ok(())
        });
        for n in 0..40 {
            running.peer.send_text(&n.to_string());
        }
        world.advance(secs(2));
        for n in 0..60 {
            running.peer.send_text(&n.to_string());
        }
        for n in 0..5 {
            running.peer.send(PING, [n]);
        }
        running.peer.send_close(1000, "bye");
        world.run();
        let mut frames = running.peer.frames();
        frames.retain(|frame| *frame != text("tick"));
        let mut expected: Vec<_> = (0..5).map(|n| pong([n])).collect();
        expected.push(close(1000, ""));
        assert_eq!(frames, expected, "{setup:?}: at once, though nothing was received");
        running.peer.leave();
        world.finish(&running.driver).unwrap();
        world.advance(secs(2));
        assert_eq!(discarded.take(), [100], "{setup:?}");
        assert!(matches!(ends.take()[..], [Error::Closed(_)]));
    }
}

#[test]
fn an_application_that_only_sends_may_refuse_messages() {
    for (setup, code) in
        setups().into_iter().flat_map(|setup| [1003, 1008, 4000, 1005].map(|code| (setup.clone(), code)))
    {
        // One that comes before receiving is given up, one that comes later.
        for is_early in [true, false] {
            let world = World::new(1);
            let mut running = setup.timeless().start(&world, |socket| async move {
                sleep(secs(1)).await;
                let sender = socket.send_only_with(Unwanted::Refuse(CloseCode::from(code)));
                sender.closed().await;
                assert!(matches!(sender.try_send("x"), Err(SendError::Closed(_))));
                assert_eq!(sender.discarded(), 2);
                HandlerResult::Ok(())
            });
            if !is_early {
                world.advance(secs(2));
            }
            running.peer.send_text("one");
            running.peer.send_text("two");
            world.advance(secs(2));
            let code = if code == 1005 { 1003 } else { code };
            let expected = close(code, "no messages are taken here");
            assert_eq!(running.peer.frames(), [expected], "{setup:?}, {code}, {is_early}");
            running.peer.send_close(code, "");
            running.peer.leave();
            world.finish(&running.driver).unwrap();
        }
    }
}

#[test]
fn a_task_that_gives_up_receiving_while_reading_has_stopped_holds_nobody_up() {
    for role in [Role::Server, Role::Client] {
        let world = World::new(1);
        let (socket, driver, mut peer) = Setup::new(role).open(&world);
        let _driver = world.spawn("driver", driver);
        for n in 0..100 {
            peer.send_text(&n.to_string());
        }
        peer.send(PING, "?");
        world.run();
        assert_eq!(peer.frames(), [], "{role:?}: reading has stopped");
        let sender = socket.send_only();
        world.run();
        assert_eq!((peer.frames(), sender.discarded()), (vec![pong(b"?")], 100), "{role:?}");
    }
}
