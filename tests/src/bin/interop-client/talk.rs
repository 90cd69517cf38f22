//! Exchanges of messages that most checks use.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use ws_tokio::{Bytes, CloseCode, Message, WebSocket};

use crate::verdict::{Failure, ensure, same};

pub(crate) async fn echoes(ws: &mut WebSocket, message: impl Into<Message>) -> Result<(), Failure> {
    let message = message.into();
    ws.send(message.clone()).await?;
    same(next(ws).await?, message)
}

pub(crate) async fn send_fragments<M: Into<Message>>(
    ws: &WebSocket,
    parts: impl IntoIterator<Item = M, IntoIter: ExactSizeIterator>,
) -> Result<(), Failure> {
    let parts = parts.into_iter();
    let last = parts.len() - 1;
    for (i, part) in parts.enumerate() {
        ws.send_fragment(part, i == last).await?;
    }
    Ok(())
}

pub(crate) async fn next(ws: &mut WebSocket) -> Result<Message, Failure> {
    ws.recv().await?.ok_or_else(|| Failure("the connection ended instead of a message".to_owned()))
}

pub(crate) async fn next_json(ws: &mut WebSocket) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(next(ws).await?.as_bytes())?)
}

/// Closes cleanly; it must not linger.
pub(crate) async fn done(ws: WebSocket) -> Result<(), Failure> {
    let outcome = timeout(Duration::from_secs(3), ws.close(CloseCode::NORMAL, "")).await??;
    ensure(outcome.is_clean(), || format!("not clean: {outcome}"))
}

pub(crate) fn every_byte(times: usize) -> Bytes {
    (0..=255).collect::<Vec<u8>>().repeat(times).into()
}

pub(crate) fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("ours-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
