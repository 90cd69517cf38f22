//! Many streams over few connections.

use ws_test_support::frames::{TEXT, close, text};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_over_four_connections() {
    const CONNECTIONS: usize = 4;
    const STREAMS: usize = 250;
    let running = start(server(), echo).await;
    let mut tasks = Vec::new();
    let address = running.address;
    let all_open = std::sync::Arc::new(tokio::sync::Barrier::new(CONNECTIONS + 1));
    for connection in 0..CONNECTIONS {
        let all_open = all_open.clone();
        tasks.push(tokio::spawn(async move {
            let mut peer = Peer::connect(address).await;
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                streams.push(peer.open().await);
            }
            all_open.wait().await;
            all_open.wait().await;
            for round in 0..3 {
                for (n, stream) in streams.iter_mut().enumerate() {
                    stream.send_frame(TEXT, format!("{connection} {n} {round}"), false);
                }
                for (n, stream) in streams.iter_mut().enumerate() {
                    assert_eq!(stream.frame().await, text(&format!("{connection} {n} {round}")));
                }
            }
            for stream in &mut streams {
                stream.send_close(1000, true);
            }
            for stream in &mut streams {
                assert_eq!(stream.frame().await, close(1000, ""));
            }
        }));
    }
    in_time(all_open.wait()).await;
    assert_eq!(running.handle.connections(), CONNECTIONS * STREAMS);
    in_time(all_open.wait()).await;
    for task in tasks {
        in_time(task).await.unwrap();
    }
    in_time(async {
        while running.handle.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    running.stop().await;
}

/// Streams that open and end in turn leave nothing behind.
#[tokio::test]
async fn streams_can_follow_each_other_without_end() {
    let running = start(
        server().http2({
            let mut http2 = Http2::default();
            http2.max_streams = 2;
            http2
        }),
        echo,
    )
    .await;
    let mut peer = Peer::connect(running.address).await;
    for n in 0..300 {
        let mut stream = peer.open().await;
        stream.echo("a").await;
        match n % 3 {
            0 => stream.send_close(1000, true),
            1 => stream.send.send_reset(h2::Reason::CANCEL),
            _ => drop(stream),
        }
    }
    running.stop().await;
}
