//! Messages both ways.

use std::sync::mpsc;

use futures_util::future::{join_all, try_join};
use futures_util::{SinkExt, StreamExt as _};

use super::setup::*;

#[test]
fn messages_of_every_kind_and_size_come_back_as_they_went() {
    let server = start(uncompressed(), echo);
    let mut ws = server.connect();
    for message in [
        Message::from("Hello"),
        Message::from("κόσμε – 世界 🦀"),
        Message::from(""),
        Message::from(&[0, 0xFF, 0x80]),
        Message::from(Vec::new()),
        Message::from("x".repeat(125)),
        Message::from("x".repeat(126)),
        Message::from(pattern(65_535)),
        Message::from(pattern(65_536)),
        Message::from("é".repeat(MIB / 2)),
    ] {
        send(&ws, message.clone());
        assert!(recv(&mut ws) == message, "{message:.100?}");
    }
    close(ws);
    server.stop();
}

#[test]
fn messages_stay_in_order() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    let messages: Vec<Message> = (0..100).map(|n| Random(n).bytes(n as usize * 20).into()).collect();
    messages.iter().for_each(|message| send(&ws, message.clone()));
    messages.iter().for_each(|message| assert_eq!(recv(&mut ws), *message));
    close(ws);
    server.stop();
}

#[test]
fn fragments_arrive_as_one_message() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    for part in ["a", "", "b", "cdef"] {
        block_on(ws.send_fragment(part, false)).unwrap();
    }
    block_on(ws.send_fragment("", true)).unwrap();
    assert_eq!(text(&mut ws), "abcdef");
    close(ws);
    server.stop();
}

#[test]
fn fragments_travel_as_they_are() {
    let (ws, mut peer) = accepted(Server::new());
    for (part, last) in [("ab", false), ("", false), ("cd", true)] {
        block_on(ws.send_fragment(part, last)).unwrap();
    }
    for frame in [(0x01, b"ab".to_vec()), (0x00, vec![]), (0x80, b"cd".to_vec())] {
        assert_eq!(peer.frame(), frame);
    }
}

#[test]
fn between_fragments_there_may_be_pings_and_no_messages() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    block_on(ws.send_fragment("in ", false)).unwrap();
    assert!(matches!(block_on(ws.send("in between")), Err(Error::Unfinished)));
    block_on(ws.ping()).unwrap();
    block_on(ws.send_fragment("two", true)).unwrap();
    assert_eq!(text(&mut ws), "in two");
    close(ws);
    server.stop();
}

#[test]
fn a_ping_between_a_peers_fragments_is_answered_first() {
    let server = start(Server::new(), echo);
    let mut peer = server.upgraded();
    peer.write([masked(0x01, "ab"), masked(0x89, "!"), masked(0x80, "cd")].concat());
    assert_eq!(peer.frame(), (0x8A, b"!".to_vec()));
    assert_eq!(peer.frame(), (0x81, b"abcd".to_vec()));
    drop(peer);
    server.stop();
}

#[test]
fn long_text() {
    let (mut server, client) = both_ends(uncompressed().config(roomy(4 * MIB)), Client::new("ws://test/"));
    let long = "0123456789abcdé🦀".repeat(4 * MIB / 20);
    let (sent, received) = block_on(async { futures_util::join!(client.send(long.as_str()), server.recv()) });
    sent.unwrap();
    assert!(received.unwrap() == Some(Message::from(long)));
}

/// Each end sends all of its message before it receives any.
#[test]
fn messages_of_16_mib_cross() {
    const SIZE: usize = 16 * MIB;
    async fn cross(ws: &mut WebSocket, payload: Bytes) -> HandlerResult {
        WebSocket::send(ws, payload.clone()).await?;
        assert!(ws.recv().await? == Some(Message::Binary(payload)));
        Ok(())
    }
    // No ping helps a driver along that was not woken.
    let config = config(|config| {
        config.limits = roomy(SIZE).limits;
        config.deadlines.ping_interval = None;
    });
    let payload = Bytes::from(pattern(SIZE));
    let theirs = payload.clone();
    let server = start(uncompressed().config(config.clone()), move |mut ws| {
        let payload = theirs.clone();
        async move { cross(&mut ws, payload).await }
    });
    let mut ws = block_on(server.client().config(config).connect()).unwrap();
    block_on(cross(&mut ws, payload)).unwrap();
    assert_eq!(ending(&mut ws), (1000, String::new()), "the handler found what it expected");
    server.stop();
}

#[test]
fn a_stream_both_ways_while_both_ends_read_and_write() {
    // 32 MiB each way: far more than all queues and socket buffers hold.
    const MESSAGES: usize = 512;
    async fn talk(mut ws: WebSocket) -> HandlerResult {
        let sender = ws.sender();
        let payload = Bytes::from(pattern(64 * KIB));
        let sending = async {
            for _ in 0..MESSAGES {
                sender.send(payload.clone()).await?;
            }
            Ok::<_, Error>(())
        };
        let receiving = async {
            for _ in 0..MESSAGES {
                assert!(ws.recv().await? == Some(Message::Binary(payload.clone())));
            }
            Ok(())
        };
        try_join(sending, receiving).await?;
        Ok(())
    }
    let server = start(uncompressed(), talk);
    let ws = server.connect();
    block_on(talk(ws)).unwrap();
    server.stop();
}

#[test]
fn stream_and_sink() {
    let server = start(Server::new(), |ws| async move {
        let (sink, stream) = ws.split::<Message>();
        Ok(stream.forward(sink).await?)
    });
    let mut ws = server.connect();
    let mut messages = futures_util::stream::iter(["a", "b", "c"]).map(|text| Ok(Message::from(text)));
    block_on(ws.send_all(&mut messages)).unwrap();
    let came: Vec<_> = block_on((&mut ws).take(3).collect());
    let came: Vec<_> = came.into_iter().map(Result::unwrap).collect();
    assert_eq!(came, ["a", "b", "c"].map(Message::from));
    block_on(SinkExt::<Message>::close(&mut ws)).unwrap();
    assert!(block_on(ws.next()).is_none());
    server.stop();
}

#[test]
fn a_handler_may_give_its_handle_away() {
    let server = start(Server::new(), |ws| spawn(echo(ws)));
    let mut ws = server.connect();
    for n in 0..100 {
        send(&ws, n.to_string());
        assert_eq!(text(&mut ws), n.to_string());
    }
    close(ws);
    server.stop();
}

// ---- senders elsewhere ----

/// A server whose handlers give their senders away.
fn gathering() -> (Running, mpsc::Receiver<Sender>) {
    let (tell, told) = mpsc::channel();
    let server = start(Server::new(), move |ws| {
        tell.send(ws.sender()).unwrap();
        drain(ws)
    });
    (server, told)
}

#[test]
fn senders_reach_every_connection_from_elsewhere() {
    let (server, told) = gathering();
    let (mut peers, senders): (Vec<_>, Vec<_>) = (0..20).map(|_| (server.connect(), hear(&told))).unzip();
    let news = Message::from("to all".repeat(2000));
    for sender in &senders {
        assert!(sender.is_open());
        sender.try_send(news.clone()).unwrap();
    }
    peers.iter_mut().for_each(|peer| assert_eq!(recv(peer), news));
    server.stop();
}

#[test]
fn a_message_is_prepared_once_for_many() {
    let (server, told) = gathering();
    let (mut peers, senders): (Vec<_>, Vec<_>) = (0..5).map(|_| (server.connect(), hear(&told))).unzip();
    let news = Prepared::new("to all".repeat(2000));
    block_on(join_all(senders.iter().map(|sender| sender.send_prepared(&news))));
    peers.iter_mut().for_each(|peer| assert_eq!(text(peer), "to all".repeat(2000)));
    server.stop();
}

#[test]
fn a_sender_outlives_its_connection() {
    let (server, told) = gathering();
    drop(server.connect());
    let sender = hear(&told);
    assert_eq!(block_on(sender.closed()).code(), CloseCode::GOING_AWAY);
    assert!(!sender.is_open());
    assert_eq!(sender.try_send("too late"), Err(SendError::Closed(Message::from("too late"))));
    assert!(block_on(sender.send("too late")).is_err());
    assert!(block_on(sender.ping()).is_err());
    server.stop();
}
