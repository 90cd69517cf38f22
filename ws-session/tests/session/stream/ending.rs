//! How a stream ends: by us, by the peer, by being dropped.

use super::*;

#[test]
fn close_drives_the_handshake_to_its_end() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        let app = world.spawn("app", async move {
            stream.feed("queued").await.unwrap();
            let outcome = stream.close(1000, "bye").await.unwrap();
            assert!(matches!(stream.send("late").await, Err(Error::Closed(_) | Error::Closing)));
            assert_eq!(stream.recv().await.unwrap(), Some("on its way".into()));
            assert_eq!(stream.recv().await.unwrap(), None);
            assert_eq!(stream.close(1001, "again").await.unwrap().code(), CloseCode::NORMAL);
            assert_eq!(stream.closed().await, outcome);
            stream.flush().await.unwrap();
            (outcome, stream)
        });
        world.run();
        assert_eq!(peer.frames(), [text("queued"), close(1000, "bye")]);
        peer.send_text("on its way");
        peer.send_close(1000, "");
        world.run();
        assert!(!app.is_finished(), "the end of the transport is waited for, too");
        peer.to.end();
        let (outcome, _stream) = world.finish(&app);
        assert!(outcome.is_clean());
        assert!(peer.from.is_ended(), "the peer reads the end, though the stream has not been dropped");
        assert!(world.now() < secs(1));
    }
}

#[test]
fn a_close_of_the_peer_is_answered_and_told() {
    for role in ROLES {
        for sink in [false, true] {
            let world = World::new(1);
            let (mut stream, mut peer) = Streaming::new(role).open(&world);
            let app = world.spawn("app", async move {
                let first = stream.next().await.unwrap().unwrap();
                stream.feed(first).await.unwrap();
                assert!(stream.next().await.is_none());
                assert!(stream.next().await.is_none(), "a stream that has ended stays so");
                match sink {
                    true => SinkExt::close(&mut stream).await.unwrap(),
                    false => drop(stream.close(1000, "").await.unwrap()),
                }
                stream
            });
            peer.send_together(&[peer.frame(TEXT, "last"), peer.close_frame(1001, "going")]);
            world.run();
            assert_eq!(peer.frames(), [text("last"), close(1001, "")], "answered before it ends");
            peer.to.end();
            let _stream = world.finish(&app);
            assert!(peer.from.is_ended());
        }
    }
}

#[test]
fn a_peer_that_does_not_answer_the_close_is_waited_for_only_so_long() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = Streaming::new(role).open(&world);
        let app = world.spawn("app", async move { stream.close(1000, "").await });
        let _ = world.finish(&app);
        assert!((secs(1)..secs(30)).contains(&world.now()), "{:?}", world.now());
        drop(peer);
    }
}

#[test]
fn a_drop_writes_what_is_queued_and_a_close() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        let sender = stream.sender();
        world.at_once(async move { stream.feed("queued").await.unwrap() });
        world.run();
        assert_eq!(peer.frames(), [text("queued"), close(1001, "")]);
        assert!(peer.from.is_writer_gone());
        assert!(!sender.is_open(), "a sender does not keep it open");
        assert!(world.at_once(async move { sender.send("late").await }).is_err());
    }
}

#[test]
fn a_reset_is_told_after_what_had_come_before() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = Streaming::new(role).open(&world);
        peer.send_text("before");
        peer.reset();
        let error = world.block_on(async move {
            assert_eq!(stream.recv().await.unwrap(), Some("before".into()));
            let error = stream.recv().await.unwrap_err();
            assert!(stream.send("late").await.is_err() && stream.ping().await.is_err());
            assert!(stream.close(1000, "").await.is_err());
            error
        });
        assert!(error.closed().unwrap().io_error().is_some(), "{error}");
    }
}

#[test]
fn a_code_that_must_not_be_sent_closes_nothing() {
    let world = World::new(1);
    let (mut stream, mut peer) = Streaming::new(Role::Client).open(&world);
    world.at_once(async move {
        assert!(matches!(stream.close(1006, "").await, Err(Error::CloseCode(_))));
        stream.send("goes on").await.unwrap();
        stream
    });
    assert_eq!(peer.frames()[0], text("goes on"));
}
