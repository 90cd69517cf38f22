//! Deadlines of a stream that nobody has polled for a while, and of one whose peer is gone.

use super::*;

#[test]
fn a_dead_peer_is_noticed() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        let app = world.spawn("app", async move { stream.recv().await });
        world.advance(secs(39));
        assert!(!app.is_finished());
        assert!(peer.frames().iter().all(|frame| frame.0 == PING));
        world.advance(secs(2));
        let error = app.take().expect("the end").unwrap_err();
        assert_eq!(error.closed().unwrap().outcome().cause, Cause::KeepaliveTimeout);
    }
}

#[test]
fn a_peer_that_answered_while_nobody_polled_is_not_dead() {
    for role in ROLES {
        for answers in [true, false] {
            let world = World::new(1);
            let (mut stream, mut peer) = Streaming::new(role).open(&world);
            let waited = world.spawn("app", async move {
                // Keepalive's ping is sent; then nobody polls for ten minutes.
                let waiting = pin!(sleep(secs(21)));
                future::select(pin!(stream.recv()), waiting).await;
                sleep(secs(600)).await;
                let mut waiting = pin!(sleep(secs(1)));
                let told = {
                    let mut receiving = pin!(stream.recv());
                    poll_fn(|cx| match receiving.as_mut().poll(cx) {
                        Poll::Ready(received) => Poll::Ready(Some(received)),
                        Poll::Pending => waiting.as_mut().poll(cx).map(|()| None),
                    })
                    .await
                };
                (told, stream)
            });
            world.advance(secs(22));
            let [Frame(PING, payload)] = &peer.frames()[..] else { panic!("a ping") };
            if answers {
                peer.send(PONG, payload);
            }
            world.advance(secs(602));
            match world.finish(&waited).0 {
                None => assert!(answers),
                Some(received) => {
                    let error = received.unwrap_err();
                    assert_eq!(
                        (error.closed().unwrap().outcome().cause.clone(), answers),
                        (Cause::KeepaliveTimeout, false)
                    );
                }
            }
        }
    }
}

#[test]
fn nothing_is_sent_while_nobody_polls() {
    for role in ROLES {
        let world = World::new(1);
        let (stream, mut peer) = Streaming::new(role).open(&world);
        peer.send(PING, "x");
        world.advance(secs(100));
        assert_eq!(peer.frames(), []);
        let app = world.spawn("app", send_back(stream));
        world.run();
        let frames = peer.frames();
        assert!(frames.contains(&pong(b"x")) && !app.is_finished(), "{frames:?}");
    }
}
