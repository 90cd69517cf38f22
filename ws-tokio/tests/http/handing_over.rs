//! The transport that hyper hands over: its bytes, its socket.

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::response::Response;
use axum::routing::any;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo as HyperUtilIo;
use tokio::io::{AsyncReadExt as _, duplex};
use tokio::net::{TcpListener, TcpStream};
use ws_proto::Role;
use ws_test_support::frames::{TEXT, from, to};
use ws_test_support::opening::request;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::http::Request;
use ws_tokio::hyper::{Upgrade, upgrade, upgrade_async};
use ws_tokio::{Bytes, Server, Transport as _};
#[cfg(feature = "tls")]
use ws_tokio::{RequestExt as _, TlsInfo};

use crate::common::{Raw, echo, in_time};
use crate::setup::*;

/// Sends the request and three messages in one write, and expects the answers.
async fn is_greedy<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut raw: Raw<S>) {
    let messages = ["first", "second", "third"];
    let frames = messages.map(|message| to(Role::Server, TEXT, message)).concat();
    raw.write([request("/", &[]).as_bytes(), &frames].concat()).await;
    let expected = messages.map(|message| from(Role::Server, TEXT, message)).concat();
    let mut received = Vec::new();
    while !received.ends_with(&expected) {
        assert!(in_time(raw.stream.read_buf(&mut received)).await.unwrap() > 0, "{received:?}");
    }
}

#[tokio::test]
async fn frames_behind_the_request_are_not_lost() {
    let site = Site::echo(|ws| ws).await;
    is_greedy(site.raw().await).await;
    let address = hyper_echo(Server::new()).await;
    is_greedy(Raw::new(TcpStream::connect(address).await.unwrap())).await;
    // A stream that cannot be unwrapped.
    let (near, far) = duplex(1 << 16);
    let answer = |request: &mut Request<Incoming>| ws_tokio::hyper::answer(&Server::new(), request, echo);
    tokio::spawn(serve_with_hyper(HyperUtilIo::new(far), answer));
    is_greedy(Raw::new(near)).await;
}

/// Tells of the socket of each connection whether it is TCP, and whether the system knows what is in flight.
fn report(upgrade: Upgrade, tell: mpsc::Sender<(bool, bool)>) {
    tokio::spawn(async move {
        let mut stream = upgrade.into_stream().await.unwrap();
        tell.send((stream.get_ref().is_tcp(), stream.get_ref().in_flight().is_some())).unwrap();
        while let Ok(Some(message)) = stream.recv().await {
            let _ = stream.send(message).await;
        }
    });
}

fn told(told: &mpsc::Receiver<(bool, bool)>) -> (bool, bool) {
    told.recv_timeout(std::time::Duration::from_secs(100)).unwrap()
}

fn answer_with(tell: mpsc::Sender<(bool, bool)>) -> impl Fn(&mut Request<Incoming>) -> Response<Bytes> {
    move |request| match upgrade(&Server::new(), request) {
        Ok((response, upgrade)) => {
            report(upgrade, tell.clone());
            response
        }
        Err(refused) => refused.into_response(),
    }
}

async fn echoes<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: S) {
    is_greedy(Raw::new(stream)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_unwrapped() {
    // Linux and Apple's systems tell what is in flight.
    let knows = cfg!(any(target_os = "linux", target_vendor = "apple"));
    let (tell, reports) = mpsc::channel();
    let of_axum = tell.clone();
    let handler = async move |ws: WebSocketUpgrade| {
        let (response, upgrade) = ws.accept().unwrap();
        report(upgrade, of_axum.clone());
        response
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    echoes(site.raw().await.stream).await;
    assert_eq!(told(&reports), (true, knows), "axum::serve");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer_with(tell.clone());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve_with_hyper(HyperUtilIo::new(stream), answer).await;
    });
    echoes(TcpStream::connect(address).await.unwrap()).await;
    assert_eq!(told(&reports), (true, knows), "hyper");

    let (near, far) = duplex(1 << 16);
    tokio::spawn(serve_with_hyper(HyperUtilIo::new(far), answer_with(tell)));
    echoes(near).await;
    assert_eq!(told(&reports), (false, false), "a pipe in memory");
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread")]
async fn the_socket_below_tls_is_found() {
    use std::sync::Arc;
    use ws_tokio::rustls::ServerConfig;
    use ws_tokio::rustls::pki_types::PrivatePkcs8KeyDer;

    let knows = cfg!(any(target_os = "linux", target_vendor = "apple"));
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ws_tokio::rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
    let (tell, reports) = mpsc::channel();
    let answer = answer_with(tell);
    let client = ws_tokio::Client::new(&url).ca(certified.cert.pem());
    tokio::spawn(async move {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        serve_with_hyper(HyperUtilIo::new(stream), answer).await;
        // Hooks know of TLS what the request's extensions tell, and handlers what the stream tells.
        for is_told in [false, true] {
            let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let session = stream.get_ref().1;
            let info = is_told.then(|| TlsInfo::new(session, session.server_name()));
            let answer = move |request: &mut Request<Incoming>| {
                info.clone().map(|info| request.extensions_mut().insert(info));
                let server = Server::new().on_request(move |request| assert_eq!(request.tls().is_some(), is_told));
                ws_tokio::hyper::answer(&server, request, |ws| async move {
                    let name = ws.tls().and_then(|tls| tls.server_name().map(str::to_owned));
                    let _ = ws.send(name.unwrap_or_default()).await;
                })
            };
            serve_with_hyper(HyperUtilIo::new(stream), answer).await;
        }
    });
    let mut ws = in_time(client.clone().connect()).await.unwrap();
    ws.send("Hello").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "Hello");
    assert_eq!(told(&reports), (false, knows));
    drop(ws);
    for _ in 0..2 {
        let mut ws = in_time(client.clone().connect()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "localhost");
    }
}

#[tokio::test]
async fn a_refused_request_keeps_its_connection() {
    let (tell, told) = mpsc::channel();
    let (near, far) = duplex(1 << 16);
    let answer = move |request: &mut Request<Incoming>| {
        let strict = Server::new().origins(["https://example.com"]);
        let refused = upgrade::<_, Bytes>(&strict, request).unwrap_err();
        tell.send(refused.response().status().as_u16()).unwrap();
        // Another server takes it.
        ws_tokio::hyper::answer(&Server::new(), request, echo)
    };
    tokio::spawn(serve_with_hyper(HyperUtilIo::new(far), answer));
    is_greedy(Raw::new(near)).await;
    assert_eq!(told.recv().unwrap(), 403);
}

#[tokio::test]
async fn a_request_that_a_slow_hook_refused_keeps_its_connection() {
    let (near, far) = duplex(1 << 16);
    let answer = |request: &mut Request<Incoming>| {
        let strict = Server::new().origins(["https://example.com"]);
        // It is not lost with a decision that nobody awaits either.
        drop(upgrade_async::<_, Bytes>(&strict, request));
        {
            let deciding = pin!(upgrade_async::<_, Bytes>(&strict, request));
            let decided = deciding.poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(decided, Poll::Ready(Err(_))));
        }
        ws_tokio::hyper::answer(&Server::new(), request, echo)
    };
    tokio::spawn(serve_with_hyper(HyperUtilIo::new(far), answer));
    is_greedy(Raw::new(near)).await;
}
