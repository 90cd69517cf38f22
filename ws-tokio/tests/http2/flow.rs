//! Flow control: nothing is held beyond the limits, and a stream that stands still does not hold up another.

use ws_test_support::frames::{TEXT, frame};
use ws_tokio::{Bytes, Error};

use super::raw::End;
use super::*;

/// A peer that never opens its window.
#[tokio::test]
async fn a_window_that_stays_closed_stops_senders_and_ends_at_the_write_stall() {
    let (told, mut queued) = unbounded_channel();
    let server = server().configure(|config| {
        config.deadlines.write_stall = Some(SHORT * 5);
        config.deadlines.ping_interval = None;
    });
    let running = start(server, move |ws: WebSocket| {
        let told = told.clone();
        async move {
            if ws.request().uri().path() == "/echo" {
                return echo(ws).await;
            }
            let mut sent = 0;
            let error = loop {
                match ws.send(Bytes::from(vec![0; 10_000])).await {
                    Ok(()) => sent += 10_000,
                    Err(error) => break error,
                }
            };
            let Error::Closed(_) = error else { panic!("{error}") };
            told.send((sent, ws.closed().await.cause)).unwrap();
            HandlerResult::Ok(())
        }
    })
    .await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1000);
    let mut peer = Peer::connect_with(running.address, builder).await;
    let mut stream = peer.open().await;
    let (sent, cause) = in_time(queued.recv()).await.unwrap();
    assert_eq!(cause, Cause::WriteStall);
    assert!(sent <= 64 * KIB + 20_000, "{sent} bytes were taken");
    // The bytes within the window, then the reset.
    let mut received = 0;
    let end = loop {
        match in_time(stream.receive.data()).await {
            Some(Ok(data)) => received += data.len(),
            Some(Err(error)) => break End::Reset(error.reason().unwrap()),
            None => break End::Stream,
        }
    };
    assert!(received <= 1000, "{received}");
    assert_eq!(end, End::Reset(h2::Reason::CANCEL));
    peer.open_at("/echo", &[]).await.echo("the connection continues").await;
    running.stop().await;
}

/// A handler that does not receive stops its own peer, and no other stream of the connection.
#[tokio::test]
async fn a_stream_that_nobody_reads_does_not_hold_up_others() {
    let running = start(server().inbound_queue(1).drain_timeout(SHORT), |mut ws: WebSocket| async move {
        if ws.request().uri().path() == "/deaf" {
            std::future::pending::<()>().await;
        }
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    })
    .await;
    let mut peer = Peer::connect(running.address).await;
    let mut deaf = Vec::new();
    for _ in 0..50 {
        let request = peer.connect_request("/deaf", &[]);
        let (response, mut send) = peer.send(request, false).await;
        assert_eq!(in_time(response).await.unwrap().status(), 200);
        let message = frame(TEXT, vec![b'a'; 100_000], Some([0; 4]));
        for _ in 0..5 {
            send.send_data(message.clone().into(), false).unwrap();
        }
        deaf.push(send);
    }
    let mut other = peer.open().await;
    for n in 0..100 {
        other.echo(&format!("{n} {}", "x".repeat(10_000))).await;
    }
    drop(deaf);
    running.stop().await;
}

/// Messages larger than any window, both ways.
#[tokio::test]
async fn large_messages_pass_in_parts() {
    let running = start(server().max_message(4 * MIB), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    let text = "large ".repeat(300_000);
    stream.echo(&text).await;
    stream.echo("and small").await;
    running.stop().await;
}
