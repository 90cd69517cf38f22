//! HTTP servers on ports of their own.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::response::Response;
use axum::routing::any;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo as HyperUtilIo;
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::http::Request;
use ws_tokio::{Bytes, Client, ConnectError, HandlerResult, Server, WebSocket};

use crate::common::{Raw, echo, in_time};

/// An axum application at a port of its own.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
}

impl Site {
    pub(crate) async fn new(app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address }
    }

    /// One whose path `/` is an echo, with these settings of the extractor.
    pub(crate) async fn echo(
        set: impl Fn(WebSocketUpgrade) -> WebSocketUpgrade + Clone + Send + Sync + 'static,
    ) -> Self {
        let handler = async move |ws: WebSocketUpgrade| set(ws).on_upgrade(echo);
        Self::new(Router::new().route("/", any(handler))).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.url("/"))
    }

    pub(crate) async fn connect(&self) -> WebSocket {
        self.connect_to("/").await.unwrap()
    }

    pub(crate) async fn connect_to(&self, path: &str) -> Result<WebSocket, ConnectError> {
        in_time(ws_tokio::connect(&self.url(path))).await
    }

    /// A connection on which nothing has been said.
    pub(crate) async fn raw(&self) -> Raw<TcpStream> {
        Raw::new(in_time(TcpStream::connect(self.address)).await.unwrap())
    }
}

/// The status of a refusal.
pub(crate) fn status<T>(result: Result<T, ConnectError>) -> u16 {
    match result {
        Ok(_) => panic!("it connected"),
        Err(error) => error.response().unwrap_or_else(|| panic!("{error}")).status().as_u16(),
    }
}

/// Serves one connection with hyper, each request with `answer`.
pub(crate) async fn serve_with_hyper<S, A>(stream: S, answer: A)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    A: Fn(&mut Request<Incoming>) -> Response<Bytes> + Send + Sync + 'static,
{
    let service = service_fn(move |mut request| {
        let response = answer(&mut request).map(Full::new);
        async move { Ok::<_, Infallible>(response) }
    });
    let _ = http1::Builder::new().serve_connection(stream, service).with_upgrades().await;
}

/// A server on hyper that sends back what it gets. Returns its address.
pub(crate) async fn hyper_echo(server: Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            let answer = move |request: &mut Request<Incoming>| ws_tokio::hyper::answer(&server, request, echo);
            tokio::spawn(serve_with_hyper(HyperUtilIo::new(stream), answer));
        }
    });
    address
}

/// Waits for ever, with the connection.
pub(crate) async fn hang(ws: WebSocket) -> HandlerResult {
    let _ws = ws;
    std::future::pending().await
}
