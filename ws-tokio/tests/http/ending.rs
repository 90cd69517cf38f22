//! The end of connections: shutdown, handlers that fail, connections that never come to be.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::any;
use http_body_util::Empty;
use tokio::sync::oneshot;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::{Bytes, HandlerResult, Server, ServerHandle, UpgradeError, WebSocket};

use crate::common::{Raw, drain, ending, in_time, request, until};
use crate::setup::*;

/// A site whose connections belong to this handle.
async fn site_of<F>(handle: &ServerHandle, handler: fn(WebSocket) -> F) -> Site
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let handle = handle.clone();
    let handler = async move |ws: WebSocketUpgrade| ws.shutdown(&handle).on_upgrade(handler);
    Site::new(Router::new().route("/", any(handler))).await
}

#[tokio::test]
async fn a_shutdown_closes_with_1001_and_waits_for_handlers() {
    let (finish, finished) = oneshot::channel::<()>();
    let finished = std::sync::Arc::new(tokio::sync::Mutex::new(Some(finished)));
    let handle = Server::new().handle();
    let of_handler = handle.clone();
    let handler = async move |ws: WebSocketUpgrade| {
        ws.shutdown(&of_handler).on_upgrade(async move |ws| {
            drain(ws).await?;
            let first = finished.lock().await.take();
            if let Some(finished) = first {
                finished.await?;
            }
            HandlerResult::Ok(())
        })
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let mut peers = [site.connect().await, site.connect().await];
    until(|| handle.connections() == 2).await;
    handle.shutdown();
    for peer in &mut peers {
        assert_eq!(ending(peer).await, (1001, "server shutdown".to_owned()));
    }
    let waiting = handle.clone();
    let closed = tokio::spawn(async move { waiting.closed().await });
    until(|| handle.connections() == 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!closed.is_finished(), "a handler still runs");
    assert_eq!(status(site.connect_to("/").await), 503, "no more come in");
    finish.send(()).unwrap();
    in_time(closed).await.unwrap();
    assert_eq!(handle.connections(), 0);
}

#[tokio::test]
async fn a_shutdown_drops_connections_that_do_not_end() {
    let handle = Server::new().drain_timeout(Duration::from_millis(100)).handle();
    let site = site_of(&handle, hang).await;
    let mut raw = site.raw().await;
    raw.upgrade("/").await;
    until(|| handle.connections() == 1).await;
    handle.shutdown();
    in_time(handle.closed()).await;
    assert_eq!(handle.connections(), 0);
    assert!(raw.rest().await.windows(2).any(|code| code == 1001u16.to_be_bytes()));
}

#[tokio::test]
async fn the_result_of_the_handler_closes_the_connection() {
    let app = Router::new()
        .route("/nothing", any(async |ws: WebSocketUpgrade| ws.on_upgrade(async |_| {})))
        .route("/ok", any(async |ws: WebSocketUpgrade| ws.on_upgrade(async |_| HandlerResult::Ok(()))))
        .route("/failed", any(async |ws: WebSocketUpgrade| ws.on_upgrade(async |_| Err::<(), _>("no luck"))))
        .route(
            "/panicked",
            any(async |ws: WebSocketUpgrade| ws.on_upgrade(async |ws: WebSocket| assert!(ws.id() == 0, "within"))),
        );
    let site = Site::new(app).await;
    for (path, code) in [("/nothing", 1000), ("/ok", 1000), ("/failed", 1011), ("/panicked", 1011)] {
        assert_eq!(ending(&mut site.connect_to(path).await.unwrap()).await.0, code, "{path}");
    }
    assert!(site.connect_to("/ok").await.is_ok(), "the server goes on");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_is_a_failed_upgrade() {
    let (tell, told) = mpsc::channel();
    let handler = async move |ws: WebSocketUpgrade| {
        let tell = tell.clone();
        let ws = ws.on_failed_upgrade(move |error: UpgradeError| tell.send(error).unwrap());
        let response = ws.on_upgrade(|ws: WebSocket| async move { panic!("connection {}", ws.id()) });
        // It never comes to the response.
        std::future::pending::<()>().await;
        response
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let mut raw = site.raw().await;
    raw.write(request("/", &[])).await;
    drop(raw);
    is_told(&told).await;
}

#[tokio::test]
async fn a_server_without_upgrades_is_a_failed_upgrade() {
    let (tell, told) = mpsc::channel();
    let (near, far) = tokio::io::duplex(1 << 16);
    let service = hyper::service::service_fn(move |mut request| {
        let (response, upgrade) = ws_tokio::hyper::upgrade(&Server::new(), &mut request).unwrap();
        let tell = tell.clone();
        let handler = |ws: WebSocket| async move { panic!("connection {}", ws.id()) };
        tokio::spawn(upgrade.run(handler, move |error| tell.send(error).unwrap()));
        async move { Ok::<Response<Empty<Bytes>>, Infallible>(response) }
    });
    let stream = hyper_util::rt::TokioIo::new(far);
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
    Raw::new(near).upgrade("/").await;
    is_told(&told).await;
}

/// Waits for the error.
async fn is_told(told: &mpsc::Receiver<UpgradeError>) {
    let mut error = None;
    until(|| {
        error = error.take().or_else(|| told.try_recv().ok());
        error.is_some()
    })
    .await;
    let error = error.unwrap();
    let UpgradeError::NotHandedOver(cause) = &error else { panic!("{error}") };
    assert!(cause.downcast_ref::<hyper::Error>().is_some(), "{cause}");
    assert!(error.to_string().starts_with("the HTTP connection was not handed over: "), "{error}");
}

#[tokio::test]
async fn an_upgrade_that_is_dropped_ends_the_connection() {
    let server = Server::new();
    let handle = server.handle();
    let handler = async move |ws: WebSocketUpgrade| {
        let (response, upgrade) = ws.server(&server).accept().unwrap();
        drop(upgrade);
        response
    };
    let site = Site::new(Router::new().route("/", any(handler))).await;
    let mut raw = site.raw().await;
    raw.upgrade("/").await;
    assert_eq!(raw.rest().await, b"", "the end of the stream, without a frame");
    handle.shutdown();
    in_time(handle.closed()).await;
}
