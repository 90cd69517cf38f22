//! Streams that are taken apart, or become a handle and a driver.

use super::*;

#[test]
fn a_second_connection_goes_on_where_the_first_left_off() {
    for role in ROLES {
        let world = World::new(1);
        let mut streaming = Streaming::new(role);
        streaming.inbound = 2;
        let (mut stream, mut peer) = streaming.open(&world);
        let sender = stream.sender();
        let frames: Vec<_> = (0..6).map(|n| peer.frame(TEXT, n.to_string())).collect();
        peer.send_together(&frames);
        let parts = world.at_once(async move {
            assert_eq!(stream.recv().await.unwrap(), Some("0".into()));
            stream.feed("not written").await.unwrap();
            stream.into_parts()
        });
        assert_eq!(parts.messages, ["1"].map(Message::from), "two messages may wait");
        assert_eq!(parts.unread, frames[2..].concat());
        assert!(!sender.is_open());
        assert_eq!(peer.frames(), [], "nothing is said to the peer");
        assert!(!peer.from.is_ended());

        // What was queued can be written by hand.
        peer.from.push(&parts.unsent);
        assert_eq!(peer.frames(), [text("not written")]);

        let again = match role {
            Role::Server => Parts::server(parts.transport, SimTimer::new()),
            Role::Client => Parts::client(parts.transport, SimTimer::new()),
        };
        let mut stream = again.received(parts.unread).into_stream();
        peer.send_text("6");
        peer.send_close(1000, "");
        peer.to.end();
        let received = world.block_on(async move { receive_all(&mut stream).await });
        assert_eq!(received, ["2", "3", "4", "5", "6"].map(Message::from));
        assert_eq!(peer.frames(), [close(1000, "")]);
    }
}

#[test]
fn the_part_of_a_message_that_has_come_is_lost() {
    let world = World::new(1);
    let (mut stream, peer) = Streaming::new(Role::Server).open(&world);
    let frame = peer.frame(TEXT, "in two parts");
    peer.to.push(&[peer.frame(TEXT, "whole"), frame[..9].to_vec()].concat());
    let parts = world.at_once(async move {
        assert_eq!(stream.recv().await.unwrap(), Some("whole".into()));
        assert!(future::poll_immediate(stream.recv()).await.is_none());
        stream.into_parts()
    });
    assert_eq!((parts.messages.len(), parts.unread.len(), parts.unsent.len()), (0, 0, 0));
    peer.to.push(&frame[9..]);
    assert_eq!(parts.transport.wires().0.take(), frame[9..], "the rest is the transport's");
}

#[test]
fn a_stream_becomes_a_handle_and_a_driver() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = Streaming::new(role).open(&world);
        peer.send_together(&[peer.frame(TEXT, "1"), peer.frame(TEXT, "2")]);
        let (mut socket, driver) = world.at_once(async move {
            assert_eq!(stream.recv().await.unwrap(), Some("1".into()));
            stream.feed("queued").await.unwrap();
            stream.into_driven()
        });
        let sender = socket.sender();
        sender.try_send("before the first poll").unwrap();
        let driver = world.spawn("driver", driver);
        world.run();
        assert_eq!(peer.frames(), [text("queued"), text("before the first poll")]);
        sender.try_send("after it").unwrap();
        world.run();
        assert_eq!(peer.frames(), [text("after it")]);
        assert_eq!(world.at_once(async move { (socket.recv().await.unwrap(), socket) }).0, Some("2".into()));
        drop(sender);
        world.run();
        assert_eq!(peer.frames(), [close(1001, "")]);
        peer.send_close(1001, "");
        peer.to.end();
        world.finish(&driver);
    }
}

#[test]
fn a_driver_of_a_stream_that_has_ended_is_done() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = Streaming::new(role).open(&world);
        peer.send_close(1000, "");
        peer.to.end();
        let (_socket, driver) = world.block_on(async move {
            stream.closed().await;
            stream.into_driven()
        });
        world.at_once(driver);
    }
}
