//! Clients over HTTP/2 that a redirect or a proxy leads to their server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use h2::server::Builder;
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::http::{Method, Request, Response, StatusCode, Version};
use ws_tokio::{Bytes, Client, ConnectError, Http2Connections, RedirectFailure, RequestExt as _};

use super::*;

/// A request: its connection's number, its path, `Authorization` and `Cookie`.
type Note = (usize, String, Option<String>, Option<String>);

/// The requests that a server has got.
type Seen = Arc<Mutex<Vec<Note>>>;

/// A peer that redirects each path but `/end` to the location that is in its query.
async fn redirecting() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            number += 1;
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                let handshake = Builder::new().enable_connect_protocol().handshake::<_, Bytes>(stream).await;
                let mut connection = handshake.unwrap();
                let mut open = Vec::new();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let value = |name: &str| request.header(name).map(str::to_owned);
                    let note = (number, request.path().to_owned(), value("authorization"), value("cookie"));
                    noted.lock().unwrap().push(note);
                    let (status, location) = match request.query("to") {
                        Some(location) => (StatusCode::TEMPORARY_REDIRECT, location.into_owned()),
                        None => (StatusCode::OK, String::new()),
                    };
                    let mut response = Response::builder().status(status);
                    if status != StatusCode::OK {
                        response = response.header("location", location).header("set-cookie", "set=here");
                    }
                    let send = respond.send_response(response.body(()).unwrap(), status != StatusCode::OK).unwrap();
                    open.push((send, request));
                }
            });
        }
    });
    (address, seen)
}

fn note(number: usize, path: &str, authorization: Option<&str>, cookie: Option<&str>) -> Note {
    (number, path.to_owned(), authorization.map(str::to_owned), cookie.map(str::to_owned))
}

#[tokio::test]
async fn a_redirect_to_the_same_origin_is_another_stream_of_the_connection() {
    let (address, seen) = redirecting().await;
    let connections = Http2Connections::new().prior_knowledge(true);
    let client = Client::new(format!("ws://{address}/first?to=/second%3Fto=end"));
    let client = client.header("Authorization", "Bearer token").header("Cookie", "own=1").http2(&connections);
    let ws = in_time(client.connect()).await.unwrap();
    assert_eq!((ws.response().version(), ws.request().uri().path()), (Version::HTTP_2, "/end"));
    let token = Some("Bearer token");
    let expected = [
        note(1, "/first", token, Some("own=1")),
        note(1, "/second", token, Some("own=1; set=here")),
        note(1, "/end", token, Some("own=1; set=here")),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(connections.count(), 1);
}

#[tokio::test]
async fn a_redirect_to_another_origin_takes_no_credentials_along() {
    let ((first, of_first), (second, of_second)) = (redirecting().await, redirecting().await);
    let connections = Http2Connections::new().prior_knowledge(true);
    let client = || {
        let client =
            Client::new(format!("ws://{first}/?to=http://localhost:{}/end", second.port())).http2(&connections);
        client.header("Authorization", "Bearer token").header("Cookie", "own=1")
    };
    let ws = in_time(client().connect()).await.unwrap();
    assert_eq!((ws.response().version(), ws.peer_addr()), (Version::HTTP_2, Some(second)));
    assert_eq!(*of_first.lock().unwrap(), [note(1, "/", Some("Bearer token"), Some("own=1"))]);
    assert_eq!(*of_second.lock().unwrap(), [note(1, "/end", None, None)]);
    assert_eq!(connections.count(), 2);
    // The same connections serve the next client.
    let again = in_time(client().connect_stream()).await.unwrap();
    assert_eq!(again.response().version(), Version::HTTP_2);
    assert_eq!((of_second.lock().unwrap().len(), connections.count()), (2, 2));
}

#[tokio::test]
async fn redirects_lead_from_http_2_to_http_1_1_and_are_limited() {
    let plain = start(Server::new(), echo).await;
    let (address, _) = redirecting().await;
    let connections = Http2Connections::new().prior_knowledge(true);
    let client = |to: String| Client::new(format!("ws://{address}/?to={to}")).http2(&connections);
    let ws = in_time(client(plain.url("/")).connect()).await.unwrap();
    assert_eq!((ws.response().version(), ws.peer_addr()), (Version::HTTP_11, Some(plain.address)));
    drop(ws);
    let error = in_time(client("?to=%3Fto=end".to_owned()).max_redirects(1).connect()).await.unwrap_err();
    let ConnectError::Redirect(error) = error else { panic!("{error}") };
    assert_eq!(error.failure(), &RedirectFailure::TooMany { limit: 1 });
    let error = in_time(client("end".to_owned()).max_redirects(0).connect()).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
    plain.stop().await;
}

/// A proxy that connects every tunnel to this server. The heads of its requests.
async fn proxy(server: SocketAddr) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:secret@{}", listener.local_addr().unwrap());
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut raw = Raw::new(stream);
            let head = raw.head().await;
            noted.lock().unwrap().push(head);
            raw.write("HTTP/1.1 200 OK\r\n\r\n").await;
            tokio::spawn(async move {
                let mut ours = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut raw.stream, &mut ours).await;
            });
        }
    });
    (url, heads)
}

#[tokio::test]
async fn http_2_goes_through_a_tunnel_which_its_streams_share() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let server = server().on_request(move |request: &Request<()>| {
        assert_eq!((request.method(), request.version()), (&Method::CONNECT, Version::HTTP_2));
        assert!(!request.headers().contains_key("proxy-authorization"));
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let running = start(server, echo).await;
    let (url, heads) = proxy(running.address).await;
    let connections = Http2Connections::new().prior_knowledge(true);
    for n in 0..3 {
        let client = Client::new("ws://server.test/").http2(&connections).proxy(&url);
        let mut ws = in_time(client.connect()).await.unwrap();
        ws.send(format!("{n}")).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some(format!("{n}").into()));
        in_time(ws.close(1000, "")).await.unwrap();
    }
    assert_eq!((requests.load(Ordering::Relaxed), connections.count()), (3, 1));
    {
        let heads = heads.lock().unwrap();
        assert_eq!(heads.len(), 1);
        assert!(heads[0].starts_with("CONNECT server.test:80 HTTP/1.1\r\n"), "{heads:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_redirect_through_a_proxy_asks_for_another_tunnel() {
    let (address, seen) = redirecting().await;
    let (url, heads) = proxy(address).await;
    let connections = Http2Connections::new().prior_knowledge(true);
    let client = Client::new("ws://first.test/?to=ws://second.test/end").http2(&connections).proxy(&url);
    let ws = in_time(client.connect()).await.unwrap();
    assert_eq!(ws.response().version(), Version::HTTP_2);
    let asked: Vec<_> = heads.lock().unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["CONNECT first.test:80 HTTP/1.1", "CONNECT second.test:80 HTTP/1.1"]);
    assert_eq!(*seen.lock().unwrap(), [note(1, "/", None, None), note(2, "/end", None, None)]);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn http_2_is_negotiated_through_a_tunnel() {
    let made = rcgen::generate_simple_self_signed(["server.test".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    let server = server().tls(&certificate, made.signing_key.serialize_pem());
    let running = start(server, echo).await;
    let (url, heads) = proxy(running.address).await;
    let connections = Http2Connections::new();
    let client = Client::new("wss://server.test/").ca(&certificate).http2(&connections).proxy(&url);
    let ws = in_time(client.connect()).await.unwrap();
    let tls = ws.tls().unwrap();
    assert_eq!((tls.server_name(), tls.alpn_protocol()), (Some("server.test"), Some(&b"h2"[..])));
    assert_eq!((ws.response().version(), connections.count()), (Version::HTTP_2, 1));
    assert!(heads.lock().unwrap()[0].starts_with("CONNECT server.test:443 HTTP/1.1\r\n"));
    in_time(ws.close(1000, "")).await.unwrap();
    running.stop().await;
}

/// What was opened for a client that a redirect has sent is not for those with a certificate, and the reverse.
#[cfg(feature = "tls")]
#[tokio::test]
async fn connections_with_a_client_certificate_are_not_for_redirected_clients() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = ws_tokio::ServerTls::new().certificate(&certificate, &key);
    let tls = tls.client_ca(&certificate).optional_client_certificates();
    let (tell, mut told) = unbounded_channel();
    let second = server().tls_with(tls.clone()).on_request(move |request: &Request<()>| {
        tell.send(request.tls().unwrap().peer_certificates().len()).unwrap();
    });
    let second = start(second, echo).await;
    let location = format!("https://localhost:{}/", second.address.port());
    let first = server().tls_with(tls).on_request({
        let location = location.clone();
        move |_| Some(Response::builder().status(302).header("location", &location).body(Bytes::new()).unwrap())
    });
    let first = start(first, echo).await;
    let connections = Http2Connections::new();
    let client = |url: String| {
        let client = Client::new(url).ca(&certificate).client_certificate(&certificate, &key);
        client.http2(&connections)
    };
    let direct = in_time(client(location).connect()).await.unwrap();
    let redirected = client(format!("wss://localhost:{}/", first.address.port()));
    let redirected = in_time(redirected.connect()).await.unwrap();
    assert_eq!(redirected.response().version(), Version::HTTP_2);
    assert_eq!((in_time(told.recv()).await, in_time(told.recv()).await), (Some(1), Some(0)));
    drop((direct, redirected));
    for running in [first, second] {
        running.stop().await;
    }
}
