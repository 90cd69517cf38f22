//! Our client over HTTP/2, against our server, and against servers that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use tokio::net::{TcpListener, TcpStream};
use ws_test_support::frames::{CLOSE, close_body, frame};
use ws_tokio::http::{Method, Request, Response, StatusCode, Version};
use ws_tokio::{Addresses, Bytes, Client, CloseCode, ConnectError, HandshakeError, Http2Connections, TokioIo};

use super::*;

fn known() -> Http2Connections {
    Http2Connections::new().prior_knowledge(true)
}

fn client(address: SocketAddr, connections: &Http2Connections) -> Client {
    let client = Client::new(format!("ws://{address}/")).http2(connections);
    #[cfg(feature = "deflate")]
    let client = client.compression(None);
    client
}

#[tokio::test]
async fn clients_share_a_connection() {
    let running = start(server(), echo).await;
    let connections = known();
    let mut open = Vec::new();
    for n in 0..20 {
        let mut ws = in_time(client(running.address, &connections).connect()).await.unwrap();
        assert_eq!((ws.response().status(), ws.response().version()), (StatusCode::OK, Version::HTTP_2));
        assert_eq!((ws.request().method(), ws.peer_addr()), (&Method::CONNECT, Some(running.address)));
        ws.send(format!("{n}")).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some(format!("{n}").into()));
        open.push(ws);
    }
    assert_eq!((connections.count(), running.handle.connections()), (1, 20));
    for ws in &open {
        assert!(in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap().is_normal());
    }
    // One alone has its own.
    let alone = in_time(client(running.address, &known()).connect()).await.unwrap();
    in_time(alone.close(CloseCode::NORMAL, "")).await.unwrap();
    assert_eq!(connections.count(), 1);
    running.stop().await;
}

#[tokio::test]
async fn all_forms_of_connecting_use_it() {
    let running = start(server(), echo).await;
    let connections = known();
    let mut stream = in_time(client(running.address, &connections).connect_stream()).await.unwrap();
    stream.send("a").await.unwrap();
    assert_eq!(in_time(stream.recv()).await.unwrap(), Some("a".into()));
    let run = Client::run(client(running.address, &connections), |mut ws| async move {
        ws.send("b").await?;
        assert_eq!(ws.recv().await?, Some("b".into()));
        Ok(())
    });
    in_time(run).await.unwrap();
    assert_eq!(connections.count(), 1);
    drop(stream);
    running.stop().await;
}

/// A server that does not offer HTTP/2 would leave no transport for HTTP/1.1.
#[tokio::test]
async fn a_given_transport_speaks_http1() {
    for server in [server(), server().http2(None)] {
        let running = start(server, echo).await;
        let connections = known();
        let stream = in_time(TcpStream::connect(running.address)).await.unwrap();
        let given = client(running.address, &connections).transport(TokioIo::new(stream), Addresses::default());
        let mut ws = in_time(given.connect()).await.unwrap();
        assert_eq!((ws.response().version(), connections.count()), (Version::HTTP_11, 0));
        ws.send("a").await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some("a".into()));
        drop(ws);
        running.stop().await;
    }
}

#[tokio::test]
async fn a_full_connection_is_followed_by_another() {
    let mut http2 = Http2::default();
    http2.max_streams = 2;
    let running = start(server().http2(http2), echo).await;
    let connections = known();
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(in_time(client(running.address, &connections).connect()).await.unwrap());
    }
    assert_eq!(connections.count(), 3);
    running.stop().await;
}

/// Opens so many WebSockets at once, each in a task.
async fn open_at_once(
    n: usize,
    address: SocketAddr,
    connections: Http2Connections,
) -> Vec<Result<WebSocket, ConnectError>> {
    let opening: Vec<_> = (0..n).map(|_| tokio::spawn(client(address, &connections).connect())).collect();
    let mut open = Vec::new();
    for task in opening {
        open.push(in_time(task).await.unwrap());
    }
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_connect_at_the_same_time_wait_for_one_connection() {
    let running = start(server(), echo).await;
    for _ in 0..20 {
        let connections = known();
        let mut open = open_at_once(50, running.address, connections.clone()).await;
        assert_eq!(connections.count(), 1);
        for ws in &mut open {
            let ws = ws.as_mut().unwrap();
            ws.send("a").await.unwrap();
            assert_eq!(in_time(ws.recv()).await.unwrap(), Some("a".into()));
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_connect_at_the_same_time_take_no_more_places_than_there_are() {
    let mut http2 = Http2::default();
    http2.max_streams = 3;
    let running = start(server().http2(http2), echo).await;
    for _ in 0..20 {
        let connections = known();
        let open = open_at_once(10, running.address, connections.clone()).await;
        // Nobody waits for a place on a full connection.
        assert!(open.iter().all(Result::is_ok), "{open:?}");
        assert_eq!(connections.count(), 4);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_gives_up_leaves_the_connection_to_the_next() {
    let running = start(server(), echo).await;
    let to = running.address;
    let (address, accepted) = front(to, |stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let connections = known();
    let first = tokio::spawn(client(address, &connections).connect());
    in_time(async {
        while accepted.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
    let others = tokio::spawn(open_at_once(10, address, connections.clone()));
    // The server never answers the first, and the others wait for it.
    tokio::time::sleep(SHORT).await;
    assert_eq!((accepted.load(Ordering::Relaxed), connections.count()), (1, 0));
    let late = client(address, &connections).connect_timeout(SHORT).connect();
    assert!(matches!(in_time(late).await.unwrap_err(), ConnectError::Timeout(_)));
    first.abort();
    let open = in_time(others).await.unwrap();
    assert!(open.iter().all(Result::is_ok), "{open:?}");
    assert_eq!((accepted.load(Ordering::Relaxed), connections.count()), (2, 1));
    running.stop().await;
}

#[tokio::test]
async fn where_http_2_is_not_offered_clients_that_wait_connect_on_their_own() {
    let plain = start(Server::new(), echo).await;
    let connections = known();
    for ws in open_at_once(10, plain.address, connections.clone()).await {
        assert_eq!(ws.unwrap().response().version(), Version::HTTP_11);
    }
    assert_eq!(connections.count(), 0);
    let address = plain.address;
    plain.stop().await;
    // And if there is no server at all, each is told.
    for ws in open_at_once(10, address, connections.clone()).await {
        assert!(matches!(ws.unwrap_err(), ConnectError::Dial(_)));
    }
}

#[tokio::test]
async fn without_prior_knowledge_ws_urls_use_http_1_1() {
    let running = start(server(), echo).await;
    let connections = Http2Connections::new();
    let ws = in_time(client(running.address, &connections).connect()).await.unwrap();
    assert_eq!((ws.response().version(), connections.count()), (Version::HTTP_11, 0));
    running.stop().await;
}

/// A server that does not have the setting, one that does not speak HTTP/2, and one whose SETTINGS come late.
#[tokio::test]
async fn http_1_1_is_used_where_http_2_is_not_offered() {
    let plain = start(Server::new(), echo).await;
    let ws = in_time(client(plain.address, &known()).connect()).await.unwrap();
    assert_eq!(ws.response().version(), Version::HTTP_11);
    plain.stop().await;

    // Over HTTP/2 it lacks the setting, and over HTTP/1.1 it is ours.
    let ours = start(Server::new(), echo).await;
    let connections = known();
    let (address, accepted) = front(ours.address, |stream| async move {
        let mut connection = Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
        let request = connection.accept().await;
        assert!(!matches!(request, Some(Ok(_))), "no request may be sent: {request:?}");
    })
    .await;
    let ws = in_time(client(address, &connections).connect()).await.unwrap();
    assert_eq!((ws.response().version(), connections.count()), (Version::HTTP_11, 0));
    assert_eq!(accepted.load(Ordering::Relaxed), 2);
    ours.stop().await;
}

/// Passes the first connection to `first`, and the others on to a server.
async fn front<F>(
    to: SocketAddr,
    first: impl FnOnce(tokio::net::TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, accepted) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        let mut first = Some(first);
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            match first.take() {
                Some(first) => {
                    tokio::spawn(async move { first(stream).await });
                }
                None => {
                    tokio::spawn(async move {
                        let mut ours = tokio::net::TcpStream::connect(to).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut ours).await;
                    });
                }
            }
        }
    });
    (address, accepted)
}

/// A server of HTTP/2 that answers requests as the test wants.
async fn fake(answer: impl Fn(usize, Request<RecvStream>, SendResponse<Bytes>) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), Arc::new(answer));
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            number += 1;
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let handshake = Builder::new().enable_connect_protocol().handshake::<_, Bytes>(stream).await;
                let Ok(mut connection) = handshake else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    answer(number, request, respond);
                }
            });
        }
    });
    address
}

fn ok() -> Response<()> {
    Response::new(())
}

#[tokio::test]
async fn settings_that_come_late_are_waited_for() {
    let running = start(server(), echo).await;
    let to = running.address;
    let (address, _) = front(to, move |mut stream| async move {
        tokio::time::sleep(SHORT * 2).await;
        let mut ours = tokio::net::TcpStream::connect(to).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut ours).await;
    })
    .await;
    let ws = in_time(client(address, &known()).connect()).await.unwrap();
    assert_eq!(ws.response().version(), Version::HTTP_2);
    // SETTINGS that never come.
    let (address, _) = front(to, |stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let error = in_time(client(address, &known()).connect_timeout(SHORT).connect()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(_)), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn a_refused_stream_is_tried_again_on_another_connection_only_if_the_first_was_shared() {
    // The first connection takes one stream, and refuses the next.
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let address = fake(move |connection, request, mut respond| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        if connection == 1 && number > 0 {
            return respond.send_reset(Reason::REFUSED_STREAM);
        }
        let send = respond.send_response(ok(), false).unwrap();
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop((send, request));
        });
    })
    .await;
    let connections = known();
    let _first = in_time(client(address, &connections).connect()).await.unwrap();
    let _second = in_time(client(address, &connections).connect()).await.unwrap();
    assert_eq!((seen.load(Ordering::Relaxed), connections.count()), (3, 2));

    let refusing = fake(|_, _, mut respond| respond.send_reset(Reason::REFUSED_STREAM)).await;
    let error = in_time(client(refusing, &known()).connect()).await.unwrap_err();
    let ConnectError::Io(error) = error else { panic!("{error}") };
    assert!(error.to_string().contains("REFUSED_STREAM"), "{error}");
}

#[tokio::test]
async fn http_1_1_required_is_obeyed() {
    let ours = start(Server::new(), echo).await;
    let (address, _) = front(ours.address, |stream| async move {
        let handshake = Builder::new().enable_connect_protocol().handshake::<_, Bytes>(stream).await;
        let mut connection = handshake.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(Reason::HTTP_1_1_REQUIRED);
        }
    })
    .await;
    let ws = in_time(client(address, &known()).connect()).await.unwrap();
    assert_eq!(ws.response().version(), Version::HTTP_11);
    ours.stop().await;
}

#[tokio::test]
async fn other_resets_while_connecting_are_told() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::CONNECT_ERROR, Reason::PROTOCOL_ERROR] {
        let address = fake(move |_, _, mut respond| respond.send_reset(reason)).await;
        let error = in_time(client(address, &known()).connect()).await.unwrap_err();
        let ConnectError::Io(error) = error else { panic!("{error}") };
        assert!(error.to_string().contains(&format!("{reason:?}")), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_has_its_status_and_body() {
    let server = server().on_request(|_| {
        let mut response = Response::new(Bytes::from_static(b"no entry"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        Some(response)
    });
    let running = start(server, echo).await;
    let error = in_time(client(running.address, &known()).connect()).await.unwrap_err();
    let response = error.response().unwrap();
    assert_eq!((response.status(), &response.body()[..]), (StatusCode::FORBIDDEN, &b"no entry"[..]));
    running.stop().await;

    let address = fake(|_, _, mut respond| {
        let other = Response::builder().header("sec-websocket-protocol", "not-offered").body(()).unwrap();
        respond.send_response(other, false).unwrap();
    })
    .await;
    let error = in_time(client(address, &known()).connect()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::SubprotocolNotOffered(_))), "{error}");
    let invalid = client(address, &known()).header("upgrade", "x");
    assert!(matches!(in_time(invalid.connect()).await.unwrap_err(), ConnectError::Request(_)));
    let invalid = Client::new("no URL").http2(&known());
    assert!(matches!(in_time(invalid.connect()).await.unwrap_err(), ConnectError::Url(_)));
}

/// Each way in which a server can end its half.
#[tokio::test]
async fn the_ends_of_a_server_are_told_apart() {
    let close = || Bytes::from(frame(CLOSE, close_body(1000, "bye"), None));
    for how in ["Close, then END_STREAM", "Close with END_STREAM", "Close", "END_STREAM", "RST"] {
        let address = fake(move |_, mut request, mut respond| {
            let mut send = respond.send_response(ok(), false).unwrap();
            match how {
                "Close, then END_STREAM" => {
                    send.send_data(close(), false).unwrap();
                    send.send_data(Bytes::new(), true).unwrap();
                }
                "Close with END_STREAM" => send.send_data(close(), true).unwrap(),
                "Close" => send.send_data(close(), false).unwrap(),
                "END_STREAM" => send.send_data(Bytes::new(), true).unwrap(),
                _ => {}
            }
            tokio::spawn(async move {
                if how == "RST" {
                    let _ = request.body_mut().data().await;
                    send.send_reset(Reason::CANCEL);
                }
                while let Some(Ok(_)) = request.body_mut().data().await {}
                std::future::pending::<()>().await;
                drop(send);
            });
        })
        .await;
        let client = client(address, &known()).configure(|config| config.deadlines.stream_end = SHORT);
        let mut ws = in_time(client.connect()).await.unwrap();
        ws.send("hello").await.unwrap();
        let received = in_time(ws.recv()).await;
        let outcome = in_time(ws.closed()).await;
        match how {
            "END_STREAM" => assert_eq!((received.is_err(), outcome.cause), (true, Cause::Eof)),
            "RST" => {
                let error = received.unwrap_err();
                assert!(error.to_string().contains("CANCEL"), "{error}");
                assert_eq!(outcome.cause, Cause::TransportFailed);
            }
            _ => {
                assert_eq!(received.unwrap(), None, "{how}");
                assert!(outcome.is_normal(), "{how}: {outcome}");
            }
        }
    }
}

#[tokio::test]
async fn after_goaway_a_new_connection_is_made_and_open_streams_continue() {
    let running = start(server(), echo).await;
    let connections = known();
    let mut ws = in_time(client(running.address, &connections).connect()).await.unwrap();
    ws.send("a").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap(), Some("a".into()));
    // The shutdown closes our stream with 1001 behind GOAWAY.
    running.handle.shutdown();
    assert_eq!(ending(&mut ws).await, (1001, "server shutdown".into()));
    in_time(running.task).await.unwrap().unwrap();
    in_time(async {
        while connections.count() > 0 {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn alpn_chooses_over_tls() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (key.cert.pem(), key.signing_key.serialize_pem());
    for (http2, version) in [(true, Version::HTTP_2), (false, Version::HTTP_11)] {
        let mut server = Server::new().tls(&certificate, &key);
        if http2 {
            server = server.http2(Http2::default());
        }
        let running = start(server, echo).await;
        let connections = Http2Connections::new();
        let url = format!("wss://localhost:{}/", running.address.port());
        for _ in 0..2 {
            let client = Client::new(&url).ca(&certificate).http2(&connections);
            let mut ws = in_time(client.connect()).await.unwrap();
            assert_eq!(ws.response().version(), version);
            ws.send("a".repeat(100_000)).await.unwrap();
            assert_eq!(in_time(ws.recv()).await.unwrap().unwrap().len(), 100_000);
            in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap();
        }
        assert_eq!(connections.count(), usize::from(http2));
        running.stop().await;
    }
}
