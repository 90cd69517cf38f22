//! An HTTP server of hyper 1, with WebSockets at two of its paths: `/ws` has a handler beside its driver, `/stream` is one
//! value without a driver.
//!
//! axum passes a handler the same requests. With `axum::serve`, the function that unwraps the socket is
//! `hyper_util::server::conn::auto::upgrade::downcast`.
//!
//! Run: `cargo run -p ws-tokio --example hyper`

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo as HyperIo; // makes hyper's streams from tokio's
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::http::{Request, Response, StatusCode};
use ws_tokio::{Addresses, Bytes, Client, CompletedHandshake, Server, Tokio, TokioIo, WebSocket};

type Failure = Box<dyn Error + Send + Sync>;

/// Answers a request. A task of its own waits for the connection, which hyper hands over once the response is written.
fn answer(server: &Server, addresses: Addresses, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if path != "/ws" && path != "/stream" {
        return Response::new(Full::from("A page. The WebSockets are at /ws and /stream.\n"));
    }
    let accepted = match server.upgrade(&request, addresses) {
        Ok(accepted) => accepted,
        Err(refused) => return refused.into_response().map(Full::new),
    };
    let response = accepted.response().clone().map(|()| Full::default());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Err(error) = converse(&path, accepted, upgrade).await {
            eprintln!("{error}");
        }
    });
    response
}

async fn converse(path: &str, accepted: CompletedHandshake<Tokio>, upgrade: OnUpgrade) -> Result<(), Failure> {
    // The `TcpStream` itself, and the bytes received after the request. `TokioIo::new(HyperIo::new(upgraded))` works for any
    // stream. But only a `TcpStream`, or TLS on one, reports how much the peer has taken, so that deadlines allow for slow peers.
    let upgraded = upgrade.await?.downcast::<HyperIo<TcpStream>>().map_err(|_| "not the stream that main gave")?;
    let transport = TokioIo::new(upgraded.io.into_inner());
    let parts = accepted.parts(transport).received(upgraded.read_buf);
    if path == "/stream" {
        let mut ws = parts.into_stream();
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
    } else {
        let (ws, driver) = parts.open();
        driver.run(echo(ws)).await?;
    }
    Ok(())
}

async fn echo(mut ws: WebSocket) -> ws_tokio::HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

async fn serve(listener: TcpListener) {
    let server = Arc::new(Server::new().max_message(64 << 10));
    while let Ok((stream, peer)) = listener.accept().await {
        let addresses = Addresses::new(stream.local_addr().ok(), Some(peer));
        let server = Arc::clone(&server);
        let service = service_fn(move |request| {
            let response = answer(&server, addresses, request);
            async move { Ok::<_, Infallible>(response) }
        });
        // Without `with_upgrades`, hyper never hands over a connection.
        let connection = http1::Builder::new().serve_connection(HyperIo::new(stream), service).with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener));

    // This crate's clients: with a task, and without.
    let mut ws = ws_tokio::connect(format!("ws://{address}/ws")).await?;
    ws.send("Hello").await?;
    let received = ws.recv().await?.ok_or("no answer")?;
    println!("/ws: {received}");
    assert_eq!(received, "Hello");
    ws.close(1000, "").await?;

    let mut ws = ws_tokio::connect_stream(format!("ws://{address}/stream")).await?;
    ws.send("Hello").await?;
    let received = ws.recv().await?.ok_or("no answer")?;
    println!("/stream: {received}");
    assert_eq!(received, "Hello");
    ws.close(1000, "").await?;

    // A client whose opening handshake is done by hyper's client.
    let upgrade = Client::new(format!("ws://{address}/ws")).upgrade()?;
    let stream = TcpStream::connect(address).await?;
    let (mut requests, connection) = hyper::client::conn::http1::handshake(HyperIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let request = upgrade.request().clone().map(|()| Empty::<Bytes>::new());
    let mut response = requests.send_request(request).await?;
    let confirmed = upgrade.confirm(&response)?;
    let upgraded = hyper::upgrade::on(&mut response).await?;
    let mut ws = confirmed.parts(TokioIo::new(HyperIo::new(upgraded))).into_stream();
    ws.send("Hello").await?;
    let received = ws.recv().await?.ok_or("no answer")?;
    println!("through hyper: {received}");
    assert_eq!(received, "Hello");
    ws.close(1000, "").await?;

    let refused = ws_tokio::connect(format!("ws://{address}/")).await;
    let status = refused.err().and_then(|error| Some(error.response()?.status()));
    println!("/: {status:?}");
    assert_eq!(status, Some(StatusCode::OK));
    Ok(())
}
