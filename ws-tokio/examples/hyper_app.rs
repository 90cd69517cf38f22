//! An HTTP server of hyper 1: a page, and WebSockets at two of its paths. `/ws` has a handler in a task, `/stream` is a
//! connection without a task of its own. Ctrl-C, here a signal from the client, shuts it down.
//!
//! Run: `cargo run -p ws-tokio --features hyper --example hyper_app`

use std::convert::Infallible;
use std::error::Error;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo; // makes hyper's streams from tokio's
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::http::{Request, Response, StatusCode};
use ws_tokio::hyper::{Upgrade, answer, confirm, request, upgrade};
use ws_tokio::{Bytes, Client, HandlerResult, Server, UpgradeError, WebSocket};

type Failure = Box<dyn Error + Send + Sync>;

fn route(server: &Server, mut request: Request<Incoming>) -> Response<Bytes> {
    match request.uri().path() {
        "/ws" => answer(server, &mut request, echo),
        "/stream" => match upgrade(server, &mut request) {
            Ok((response, upgrade)) => {
                tokio::spawn(echo_stream(upgrade));
                response
            }
            Err(refused) => refused.into_response(),
        },
        _ => Response::new(Bytes::from_static(b"A page. The WebSockets are at /ws and /stream.\n")),
    }
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Moves its bytes in this task.
async fn echo_stream(upgrade: Upgrade) -> Result<(), UpgradeError> {
    let mut ws = upgrade.into_stream().await?;
    while let Ok(Some(message)) = ws.recv().await {
        if ws.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn serve(listener: TcpListener, server: Server) {
    while let Ok((stream, _)) = listener.accept().await {
        let server = server.clone();
        let service = service_fn(move |request| {
            let response = route(&server, request).map(Full::new);
            async move { Ok::<_, Infallible>(response) }
        });
        // Without `with_upgrades`, hyper never hands over a connection.
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
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
    // Its clones share their connections: one handle ends them all.
    let server = Server::new().max_message(64 << 10);
    let handle = server.handle();
    let serving = tokio::spawn(serve(listener, server));

    // This crate's client.
    let mut ws = ws_tokio::connect(format!("ws://{address}/stream")).await?;
    is_echo(&mut ws).await?;
    ws.close(1000, "").await?;

    // A client whose opening handshake is done by hyper's client.
    let (mut requests, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(TcpStream::connect(address).await?))
            .await?;
    tokio::spawn(connection.with_upgrades());
    let handshake = Client::new(format!("ws://{address}/ws")).upgrade()?;
    let mut response = requests.send_request(request(&handshake)).await?;
    let mut through_hyper = confirm(handshake, &mut response)?.await?;
    is_echo(&mut through_hyper).await?;

    let page = ws_tokio::connect(format!("ws://{address}/")).await;
    assert_eq!(page.err().and_then(|error| Some(error.response()?.status())), Some(StatusCode::OK));

    // Stop listening, close what is open with 1001, and wait for it.
    serving.abort();
    handle.shutdown();
    assert_eq!(through_hyper.recv().await?, None);
    println!("{}", through_hyper.closed().await);
    handle.closed().await;
    assert_eq!(handle.connections(), 0);
    Ok(())
}

async fn is_echo(ws: &mut WebSocket) -> Result<(), Failure> {
    ws.send("Hello").await?;
    let received = ws.recv().await?.ok_or("no answer")?;
    println!("{}: {received}", ws.request().uri());
    assert_eq!(received, "Hello");
    Ok(())
}
