//! Applications that several tests use.

use ws_session::{HandlerResult, WebSocket};

/// An echo.
pub(crate) async fn send_back(mut socket: WebSocket) -> HandlerResult {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
