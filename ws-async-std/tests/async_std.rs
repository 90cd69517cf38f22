//! async-std: its executor, and streams whose `poll_close` does not end them.
#![cfg(feature = "async-std")]

use std::time::{Duration, Instant};

use async_std::net::TcpListener;
use async_std::task;
use ws_async_std::{CloseCode, HandlerResult, Message, Server, WebSocket, accept, connect};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[test]
fn connects_by_name_to_a_server_that_it_runs() {
    task::block_on(async {
        let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
        let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
        let serving = task::spawn(listening.serve(echo));

        let mut ws = connect(&format!("ws://localhost:{}/", address.port())).await.unwrap();
        assert_eq!(ws.peer_addr(), Some(address));
        ws.send("Hello").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("Hello")));
        assert_eq!(ws.close(CloseCode::NORMAL, "").await.unwrap().code(), CloseCode::NORMAL);

        handle.shutdown();
        serving.await.unwrap();
    });
}

#[test]
fn accepts_streams_of_async_std_and_ends_them_at_once() {
    task::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = task::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            echo(accept(stream).await.unwrap()).await
        });

        let mut ws = connect(&format!("ws://{address}/")).await.unwrap();
        ws.send("Hello").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("Hello")));
        // Were the stream not ended, each end would wait for the other, for 10 s.
        let began = Instant::now();
        ws.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "closing took {:?}", began.elapsed());
        serving.await.unwrap();
    });
}
