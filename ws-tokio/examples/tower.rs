//! A WebSocket extractor for any framework on hyper and tower, in ten lines: `WebSocketRequest` below. warp, salvo and poem
//! pass a handler the same request, or its extensions.
//!
//! Run: `cargo run -p ws-tokio --features hyper --example tower`

use std::error::Error;
use std::sync::LazyLock;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use ws_tokio::http::{Request, Response};
use ws_tokio::hyper::{Upgrade, upgrade};
use ws_tokio::{Bytes, HandlerResult, Server, WebSocket};

/// The settings of all connections, and their shutdown.
static WEBSOCKETS: LazyLock<Server> = LazyLock::new(|| Server::new().max_message(64 << 10));

/// The extractor: what becomes a connection, and the response to send.
struct WebSocketRequest<B> {
    upgrade: Upgrade,
    response: Response<B>,
}

impl<B: Default + From<Bytes>> WebSocketRequest<B> {
    /// Extracts it from a request. The error is the response for a request that is refused.
    fn extract<Q>(request: &mut Request<Q>) -> Result<Self, Response<B>> {
        match upgrade(&WEBSOCKETS, request) {
            Ok((response, upgrade)) => Ok(Self { upgrade, response }),
            Err(refused) => Err(refused.into_response().map(B::from)),
        }
    }
}

/// A handler of the framework.
async fn handle<Q>(mut request: Request<Q>) -> Result<Response<http_body_util::Full<Bytes>>, std::convert::Infallible> {
    let WebSocketRequest { upgrade, response } = match WebSocketRequest::extract(&mut request) {
        Ok(extracted) => extracted,
        Err(refusal) => return Ok(refusal),
    };
    tokio::spawn(upgrade.run(echo, |error| eprintln!("{error}")));
    Ok(response)
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let service = service_fn(handle);
                if let Err(error) = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
                    eprintln!("{error}");
                }
            });
        }
    });

    let mut ws = ws_tokio::connect(&url).await?;
    ws.send("Hello").await?;
    let answer = ws.recv().await?.ok_or("no answer")?;
    println!("{answer}");
    assert_eq!(answer, "Hello");
    let server = WEBSOCKETS.handle();
    server.shutdown();
    assert_eq!(ws.recv().await?, None);
    server.closed().await;
    println!("{}", ws.closed().await);
    Ok(())
}
