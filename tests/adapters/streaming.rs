//! Messages in pieces: received while they arrive, and sent while they are made; one message to many connections.

use futures_util::StreamExt as _;

use super::super::io::{AsyncReadExt as _, repeat};
use super::setup::*;

/// Sends each message back while it arrives.
async fn echo_streaming(mut ws: WebSocket) -> HandlerResult {
    let sender = ws.sender();
    while let Some(mut message) = ws.recv_streaming().await? {
        sender.send_stream(message.kind(), &mut message).await?;
    }
    Ok(())
}

/// A client that accepts streamed messages of any length.
fn connect_streaming(server: &Running) -> WebSocket {
    block_on(server.client().max_streamed(None).connect()).unwrap()
}

#[test]
fn a_message_comes_back_while_it_is_sent() {
    const PIECES: usize = 200;
    for server in [uncompressed(), Server::new()] {
        let server = start(server.max_streamed(None), echo_streaming);
        let mut ws = block_on(server.client().max_streamed(None).connect()).unwrap();
        let sender = ws.sender();
        let sending = spawn(async move {
            let pieces = (0..PIECES).map(|n| Random(n as u64).bytes(100_000));
            sender.send_iter(MessageKind::Binary, pieces).await
        });
        block_on(async {
            let mut message = ws.recv_streaming().await.unwrap().expect("a message");
            assert_eq!(message.kind(), MessageKind::Binary);
            let (mut expected, mut got) = ((0..PIECES).map(|n| Random(n as u64).bytes(100_000)), vec![]);
            while let Some(chunk) = message.next().await {
                got.extend_from_slice(&chunk.unwrap());
                while got.len() >= 100_000 {
                    assert!(expected.next() == Some(got.drain(..100_000).collect()));
                }
            }
            assert!(got.is_empty() && expected.next().is_none());
        });
        block_on(sending).unwrap();
        send(&ws, "whole");
        assert_eq!(text(&mut ws), "whole");
        close(ws);
        server.stop();
    }
}

/// With the reader's trait of the runtime.
#[test]
fn a_message_is_a_reader_and_a_reader_is_sent() {
    const LENGTH: u64 = 3_000_001;
    let server = start(uncompressed().max_streamed(None), |mut ws| async move {
        let mut message = ws.recv_streaming().await?.expect("a message");
        let (mut first, mut rest) = ([0; 10], Vec::new());
        message.read_exact(&mut first).await?;
        message.read_to_end(&mut rest).await?;
        drop(message);
        assert!(first == [7; 10] && rest.iter().all(|&byte| byte == 7));
        ws.send(format!("{} bytes", rest.len() + 10)).await?;
        Ok(())
    });
    let mut ws = connect_streaming(&server);
    block_on(ws.send_reader(MessageKind::Binary, repeat(7).take(LENGTH))).unwrap();
    assert_eq!(text(&mut ws), format!("{LENGTH} bytes"));
    server.stop();
}

#[test]
fn a_message_longer_than_the_limit_is_refused_by_recv_and_received_in_chunks() {
    let server = start(uncompressed().max_message(1000).max_streamed(None), |mut ws| async move {
        let mut message = ws.recv_streaming().await?.expect("a message");
        let mut bytes = 0;
        while let Some(chunk) = message.chunk().await? {
            bytes += chunk.len();
        }
        drop(message);
        ws.send(format!("{bytes} bytes")).await?;
        assert!(ws.recv().await.is_err());
        Ok(())
    });
    let mut ws = connect_streaming(&server);
    send(&ws, pattern(5 * MIB));
    assert_eq!(text(&mut ws), "5242880 bytes");
    send(&ws, pattern(5 * MIB));
    let error = block_on(ws.recv()).unwrap_err();
    assert_eq!(error.closed().unwrap().outcome().code(), CloseCode::MESSAGE_TOO_BIG);
    server.stop();
}

#[test]
fn a_dropped_message_is_discarded_and_the_next_one_is_whole() {
    let server = start(uncompressed().max_streamed(None), |mut ws| async move {
        drop(ws.recv_streaming().await?);
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    });
    let mut ws = connect_streaming(&server);
    send(&ws, pattern(5 * MIB));
    send(&ws, "next");
    assert_eq!(text(&mut ws), "next");
    close(ws);
    server.stop();
}

#[test]
fn one_message_goes_to_many_connections() {
    let (joined, members) = std::sync::mpsc::channel();
    let server = start(Server::new(), move |ws| {
        let joined = joined.clone();
        async move {
            joined.send(ws.sender())?;
            drain(ws).await
        }
    });
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let members: Vec<Sender> = clients.iter().map(|_| members.recv().unwrap()).collect();
    let outcomes = broadcast(&members, &Prepared::new("news"), SlowConsumer::Skip);
    assert!(outcomes.iter().zip(&members).all(|((to, _), member)| *to == member));
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == BroadcastOutcome::Queued));
    clients.iter_mut().for_each(|ws| assert_eq!(text(ws), "news"));
    clients.into_iter().for_each(close);
    server.stop();
}
