//! Messages both ways, over loopback sockets and over pipes in memory.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use futures_util::{SinkExt, StreamExt as _};
use tokio::io::duplex;
use tokio::sync::{Barrier, mpsc, oneshot};
use tokio::task::{JoinSet, yield_now};
use ws_tokio::http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use ws_tokio::{
    Addresses, Bytes, Client, CloseCode, Limits, Message, SendError, Server, Timer as _, Timestamp, TokioIo, TokioTimer,
};

#[tokio::test]
async fn text_binary_and_empty_messages_come_back_as_they_went() {
    let server = start(Server::new(), echo).await;
    let mut ws = server.connect().await;
    let messages = [
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
    ];
    for message in &messages {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().as_ref(), Some(message));
    }
    for message in &messages[..9] {
        ws.send(message.clone()).await.unwrap();
    }
    for message in &messages[..9] {
        assert_eq!(in_time(ws.recv()).await.unwrap().as_ref(), Some(message), "in order");
    }
    close(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn fragments_travel_as_they_are_and_arrive_as_one_message() {
    let server = start(Server::new(), |mut ws| async move {
        while let Some(message) = ws.recv().await? {
            let text = message.as_text().unwrap_or_default();
            let (first, rest) = text.split_at(text.len() / 2);
            ws.send_fragment(first, false).await?;
            ws.send_fragment("", false).await?;
            ws.send_fragment(rest, true).await?;
        }
        Ok(())
    })
    .await;

    let mut ws = server.connect().await;
    for part in ["a", "", "b", "cdef"] {
        ws.send_fragment(part, false).await.unwrap();
    }
    assert!(ws.send("in between").await.is_err(), "no message between fragments");
    assert!(in_time(ws.ping()).await.unwrap() < Duration::from_secs(20), "but a ping");
    ws.send_fragment("", true).await.unwrap();
    assert_eq!(text(&mut ws).await, "abcdef");
    close(ws).await;

    let mut raw = server.raw_upgraded().await;
    raw.write([masked(0x01, "ab"), masked(0x89, "!"), masked(0x80, "cd")].concat()).await;
    assert_eq!(raw.frame().await, (0x8A, b"!".to_vec()));
    for frame in [(0x01, b"ab".to_vec()), (0x00, vec![]), (0x80, b"cd".to_vec())] {
        assert_eq!(raw.frame().await, frame);
    }
    drop(raw);
    server.stop().await;
}

/// Each end sends one message of `size` before it receives any.
async fn cross(size: usize) {
    let payload = Bytes::from(pattern(size));
    let expected = payload.clone();
    let server = start(Server::new().config(roomy(size)), move |mut ws| {
        let payload = expected.clone();
        async move {
            ws.send(payload.clone()).await?;
            assert!(ws.recv().await? == Some(Message::Binary(payload)));
            Ok(())
        }
    })
    .await;
    let mut ws = in_time(Client::new(&server.url("/")).config(roomy(size)).connect()).await.unwrap();
    ws.send(payload.clone()).await.unwrap();
    assert!(in_time(ws.recv()).await.unwrap() == Some(Message::Binary(payload)));
    assert_eq!(ending(&mut ws).await, (1000, String::new()), "the handler found what it expected");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_16_mib_cross() {
    cross(16 * MIB).await;
}

#[tokio::test]
async fn messages_of_64_mib_cross_on_one_thread() {
    cross(64 * MIB).await;
}

#[tokio::test]
async fn long_text() {
    let server = start(Server::new().config(roomy(4 * MIB)), echo).await;
    let mut ws = in_time(Client::new(&server.url("/")).config(roomy(4 * MIB)).connect()).await.unwrap();
    let long = "0123456789abcdé🦀".repeat(4 * MIB / 20);
    ws.send(long.as_str()).await.unwrap();
    assert!(text(&mut ws).await == long);
    close(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn a_stream_both_ways_while_both_ends_read_and_write() {
    // 32 MiB each way: 512 messages of 64 KiB, far more than all queues and socket buffers hold.
    const MESSAGES: usize = 512;
    async fn talk(mut ws: ws_tokio::WebSocket) -> ws_tokio::HandlerResult {
        let sender = ws.sender();
        let payload = Bytes::from(pattern(64 * KIB));
        let sending = async {
            for _ in 0..MESSAGES {
                sender.send(payload.clone()).await?;
            }
            Ok::<_, ws_tokio::Error>(())
        };
        let receiving = async {
            for _ in 0..MESSAGES {
                assert!(ws.recv().await? == Some(Message::Binary(payload.clone())));
            }
            Ok(())
        };
        tokio::try_join!(sending, receiving)?;
        Ok(())
    }
    let server = start(Server::new(), talk).await;
    let ws = server.connect().await;
    in_time(talk(ws)).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn accept_takes_any_stream() {
    let (near, far) = duplex(7);
    let client = Client::new("ws://test/pipe").handshake(TokioIo::new(near), Addresses::default());
    let (accepted, connected) = in_time(async { tokio::join!(ws_tokio::accept(far), client) }).await;
    let (mut accepted, (mut connected, driver)) = (accepted.unwrap(), connected.unwrap());
    let driver = tokio::spawn(driver);

    assert_eq!(accepted.request().uri().path(), "/pipe");
    assert_eq!((accepted.peer_addr(), connected.local_addr()), (None, None));
    connected.send("through a pipe of seven bytes").await.unwrap();
    assert_eq!(text(&mut accepted).await, "through a pipe of seven bytes");
    accepted.send("and back").await.unwrap();
    assert_eq!(text(&mut connected).await, "and back");

    let (theirs, ours) =
        in_time(async { tokio::join!(accepted.recv(), connected.close(CloseCode::NORMAL, "bye")) }).await;
    assert_eq!(theirs.unwrap(), None);
    assert!(ours.unwrap().is_normal());
    assert_eq!(in_time(accepted.closed()).await.reason(), "bye");
    in_time(driver).await.unwrap();
}

#[tokio::test]
async fn a_client_can_be_run_like_a_handler() {
    let server = start(Server::new(), echo).await;
    let stream = TokioIo::new(tokio::net::TcpStream::connect(server.address).await.unwrap());
    let (mut ws, driver) = in_time(Client::new("ws://test/").handshake(stream, Addresses::default())).await.unwrap();
    let handler = async move {
        for n in 0..100 {
            ws.send(n.to_string()).await?;
            assert_eq!(ws.recv().await?, Some(Message::from(n.to_string())));
        }
        Ok(())
    };
    in_time(driver.run(handler)).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn both_ends_know_how_the_connection_was_opened() {
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let server = start(Server::new().header(SET_COOKIE, "a=1").header(SET_COOKIE, "b=2"), move |ws| {
        let tell = tell.lock().unwrap().take().unwrap();
        async move {
            let request = ws.request();
            let header = |name| request.headers()[name].to_str().unwrap().to_owned();
            let uri = request.uri().to_string();
            let _ = tell.send((uri, header(COOKIE), header(USER_AGENT), ws.peer_addr(), ws.local_addr(), ws.id()));
            drain(ws).await
        }
    })
    .await;
    let client = Client::new(&server.url("/chat?room=%C3%A9")).header("cookie", "c=3").header(USER_AGENT, "tests");
    let ws = in_time(client.connect()).await.unwrap();
    let (uri, cookie, agent, peer, local, id) = in_time(told).await.unwrap();
    assert_eq!((uri.as_str(), cookie.as_str(), agent.as_str()), ("/chat?room=%C3%A9", "c=3", "tests"));
    assert_eq!((peer, local), (ws.local_addr(), ws.peer_addr()));
    assert_eq!(local, Some(server.address));
    assert_ne!(id, ws.id());
    assert_eq!(ws.response().status(), 101);
    assert!(ws.response().headers().contains_key("date"));
    let cookies: Vec<_> = ws.response().headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(ws.request().headers()["host"], server.address.to_string());
    assert_eq!(ws.subprotocol(), None);
    close(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn recv_in_a_select_loop_loses_nothing() {
    const MESSAGES: usize = 3000;
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), move |mut ws| {
        let tell = tell.clone();
        async move {
            let mut cancelled = 0_u32;
            loop {
                tokio::select! {
                    message = ws.recv() => match message? {
                        Some(message) => tell.send(Some(message))?,
                        None => break,
                    },
                    // Wins whenever no message is there already.
                    () = yield_now() => cancelled += 1,
                }
            }
            assert!(cancelled > 0);
            tell.send(None)?;
            Ok(())
        }
    })
    .await;
    let ws = server.connect().await;
    for n in 0..MESSAGES {
        ws.send(format!("{n:>n$}", n = n % 300)).await.unwrap();
        if n % 7 == 0 {
            ws.flush().await.unwrap();
        }
    }
    close(ws).await;
    for n in 0..MESSAGES {
        assert_eq!(in_time(told.recv()).await.flatten(), Some(Message::from(format!("{n:>n$}", n = n % 300))));
    }
    assert_eq!(in_time(told.recv()).await, Some(None));
    server.stop().await;
}

#[tokio::test]
async fn a_send_that_is_dropped_while_it_waits_sends_nothing() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    // The pipe and the queue are full.
    ws.send(pattern(MIB)).await.unwrap();
    for _ in 0..10 {
        tokio::select! {
            biased;
            sent = ws.send("dropped") => panic!("{sent:?}"),
            () = yield_now() => {}
        }
    }
    let (frame, last) = in_time(async { tokio::join!(raw.frame(), ws.send("kept")) }).await;
    assert!(frame == (0x82, pattern(MIB)));
    last.unwrap();
    assert_eq!(raw.frame().await, (0x81, b"kept".to_vec()));
}

#[tokio::test]
async fn flush_waits_for_the_transport_and_send_does_not() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    ws.send(pattern(MIB)).await.unwrap();
    tokio::select! {
        biased;
        flushed = ws.flush() => panic!("{flushed:?} with nobody reading"),
        () = settle() => {}
    }
    let ((_, payload), flushed) = in_time(async { tokio::join!(raw.frame(), ws.flush()) }).await;
    flushed.unwrap();
    assert_eq!(payload.len(), MIB);
}

#[tokio::test]
async fn a_full_queue_hands_the_message_back() {
    let mut small = Limits::default();
    (small.high_water, small.hard_cap) = (4 * KIB, 16 * KIB);
    let (ws, mut raw) = piped_server(Server::new().config(config(|config| config.limits = small))).await;
    let sender = ws.sender();
    let message = Message::from(pattern(3 * KIB));
    let mut sent = 0;
    let refused = loop {
        match sender.try_send(message.clone()) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, SendError::Full(message.clone()));
    assert_eq!(sent, 5, "up to 16 KiB");
    for _ in 0..sent {
        assert_eq!(raw.frame().await.1, message.as_bytes());
    }
    in_time(ws.flush()).await.unwrap();
    sender.try_send(refused.into_message()).unwrap();
    assert_eq!(raw.frame().await.1, message.as_bytes());
}

#[tokio::test]
async fn senders_reach_every_connection_from_elsewhere() {
    const PEERS: usize = 20;
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), move |ws| {
        let tell = tell.clone();
        async move {
            tell.send(ws.sender())?;
            drain(ws).await
        }
    })
    .await;
    let (mut peers, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..PEERS {
        peers.push(server.connect().await);
        senders.push(in_time(told.recv()).await.unwrap());
    }
    let news = Message::from("to all".repeat(2000));
    for sender in &senders {
        assert!(sender.is_open());
        sender.try_send(news.clone()).unwrap();
    }
    for peer in &mut peers {
        assert_eq!(in_time(peer.recv()).await.unwrap().as_ref(), Some(&news));
    }
    drop(peers);
    for sender in &senders {
        assert_eq!(in_time(sender.closed()).await.code(), CloseCode::GOING_AWAY);
        assert!(!sender.is_open());
        assert_eq!(sender.try_send("too late"), Err(SendError::Closed(Message::from("too late"))));
        assert!(in_time(sender.send("too late")).await.is_err());
        assert!(in_time(sender.ping()).await.is_err());
    }
    server.stop().await;
}

#[tokio::test]
async fn many_senders_and_a_reader_who_takes_its_time() {
    const SENDERS: usize = 40;
    let (ws, mut raw) = piped_server(Server::new()).await;
    let mut senders = JoinSet::new();
    for n in 0..SENDERS {
        let sender = ws.sender();
        senders.spawn(async move {
            for m in 0..20 {
                sender.send(vec![n as u8, m]).await.unwrap();
                sender.send(vec![n as u8; 9000]).await.unwrap();
            }
        });
    }
    settle().await;
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * 40 {
        let (_, payload) = raw.frame().await;
        if payload.len() == 2 {
            let next = &mut next[usize::from(payload[0])];
            assert_eq!(payload[1], *next, "each sender's messages stay in order");
            *next += 1;
        }
    }
    in_time(senders.join_all()).await;
    assert_eq!(next, [20; SENDERS]);
}

#[tokio::test]
async fn who_waits_for_the_end_elsewhere_takes_no_messages_away() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new().inbound_queue(2), move |mut ws| {
        let tell = tell.clone();
        async move {
            let sender = ws.sender();
            let watching = tokio::spawn(async move { sender.closed().await });
            let mut came = 0;
            while ws.recv().await?.is_some() {
                came += 1;
                settle().await;
            }
            tell.send((came, watching.await?))?;
            Ok(())
        }
    })
    .await;
    let ws = server.connect().await;
    for n in 0..200 {
        ws.send(n.to_string()).await.unwrap();
    }
    close(ws).await;
    let (came, outcome) = in_time(told.recv()).await.unwrap();
    assert_eq!(came, 200);
    assert!(outcome.is_normal());
    server.stop().await;
}

#[tokio::test]
async fn a_handler_may_give_its_handle_away() {
    let server = start(Server::new(), |ws| async move {
        let elsewhere = tokio::spawn(echo(ws));
        elsewhere.await?
    })
    .await;
    let mut ws = server.connect().await;
    for n in 0..100 {
        ws.send(n.to_string()).await.unwrap();
        assert_eq!(text(&mut ws).await, n.to_string());
    }
    close(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn stream_and_sink() {
    let server = start(Server::new(), |ws| async move {
        let (sink, stream) = ws.split::<Message>();
        stream.forward(sink).await?;
        Ok(())
    })
    .await;
    let mut ws = server.connect().await;
    let mut messages = futures_util::stream::iter(["a", "b", "c"]).map(|text| Ok(Message::from(text)));
    in_time(ws.send_all(&mut messages)).await.unwrap();
    let came: Vec<_> = in_time((&mut ws).take(3).collect()).await;
    let came: Vec<_> = came.into_iter().map(Result::unwrap).collect();
    assert_eq!(came, ["a", "b", "c"].map(Message::from));
    in_time(SinkExt::<Message>::close(&mut ws)).await.unwrap();
    assert!(in_time(ws.next()).await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn pings_are_answered_while_the_handler_is_busy() {
    let (release, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let server = start(Server::new(), move |ws| {
        let wait = wait.lock().unwrap().take().unwrap();
        async move {
            wait.await?;
            assert!(ws.ping().await? < Duration::from_secs(20), "the other way round");
            assert!(ws.latency().is_some());
            Ok(())
        }
    })
    .await;
    let mut ws = server.connect().await;
    let (first, second) = in_time(async { tokio::join!(ws.ping(), ws.ping()) }).await;
    assert!(first.unwrap() < Duration::from_secs(20) && second.unwrap() < Duration::from_secs(20));
    assert!(ws.latency().is_some());
    release.send(()).unwrap();
    assert_eq!(ending(&mut ws).await, (1000, String::new()));
    server.stop().await;
}

#[tokio::test]
async fn three_hundred_connections_at_once() {
    const PEERS: usize = 300;
    let server = start(Server::new(), echo).await;
    let all_open = Arc::new(Barrier::new(PEERS + 1));
    let all_echoed = Arc::new(Barrier::new(PEERS + 1));
    let mut peers = JoinSet::new();
    for n in 0..PEERS {
        let (url, all_open, all_echoed) = (server.url("/"), Arc::clone(&all_open), Arc::clone(&all_echoed));
        peers.spawn(async move {
            let mut ws = ws_tokio::connect(&url).await.unwrap();
            all_open.wait().await;
            ws.send(n.to_string()).await.unwrap();
            assert_eq!(text(&mut ws).await, n.to_string());
            all_echoed.wait().await;
            close(ws).await;
        });
    }
    in_time(all_open.wait()).await;
    assert_eq!(server.handle.connections(), PEERS);
    // Both ends are in this process.
    #[cfg(target_os = "linux")]
    assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() < 1024, "a descriptor for each socket, not more");
    in_time(all_echoed.wait()).await;
    in_time(peers.join_all()).await;
    until(|| server.handle.connections() == 0).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_several_threads_is_never_left_waiting() {
    const MESSAGES: usize = 150;
    let server = start(Server::new(), echo).await;
    let mut peers = JoinSet::new();
    for n in 0..32 {
        let url = server.url("/");
        peers.spawn(async move {
            let mut ws = in_time(ws_tokio::connect(&url)).await.unwrap();
            let sizes = move |m: usize| (n * 7919 + m * 104_729) % 20_000;
            let (sender, pinger) = (ws.sender(), ws.sender());
            let sending = tokio::spawn(async move {
                for m in 0..MESSAGES {
                    sender.send(vec![m as u8; sizes(m)]).await.unwrap();
                }
            });
            let pinging = tokio::spawn(async move {
                for _ in 0..20 {
                    pinger.ping().await.unwrap();
                }
            });
            for m in 0..MESSAGES {
                assert!(in_time(ws.recv()).await.unwrap() == Some(Message::from(vec![m as u8; sizes(m)])));
            }
            in_time(async { tokio::try_join!(sending, pinging) }).await.unwrap();
            close(ws).await;
        });
    }
    in_time(peers.join_all()).await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_timer_follows_paused_time_and_its_last_deadline() {
    let mut timer = TokioTimer::new();
    assert_eq!(timer.now(), Timestamp::ZERO);
    let far = Timestamp::new(Duration::MAX);
    let (late, early) = (Timestamp::new(Duration::from_secs(60)), Timestamp::new(Duration::from_secs(5)));
    std::future::poll_fn(|cx| {
        assert!(timer.poll_at(cx, far).is_pending());
        assert!(timer.poll_at(cx, late).is_pending());
        timer.poll_at(cx, early)
    })
    .await;
    assert_eq!(timer.now(), early);
    std::future::poll_fn(|cx| timer.poll_at(cx, late)).await;
    assert_eq!(timer.now(), late);
    std::future::poll_fn(|cx| timer.poll_at(cx, early)).await;
    assert_eq!(timer.now(), late, "a deadline that has passed is ready at once");
}
