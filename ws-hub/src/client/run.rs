//! The task of a client: connects, and carries messages both ways.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use ws_session::{CloseCode, Error, FailedAttempt, Message, Reconnect, Runtime, WebSocket};

use super::state::{Next, Shared};
use crate::backplane::BoxFuture;
use crate::options::RESUMABLE;

/// Close codes after which there is no other connection.
const FINAL: [u16; 8] = [1000, 1002, 1003, 1007, 1008, 1010, 3000, 3003];

/// Why a connection is no longer used.
enum End {
    /// It has ended.
    Closed,
    /// The application has closed the client.
    Closing,
    /// The server speaks something else.
    Foreign,
}

pub(super) async fn run<R: Runtime>(mut connections: Reconnect<R>, shared: Arc<Shared>) {
    loop {
        let mut ws = match connect(&mut connections, &shared).await {
            None => return shared.end("closed by the application"),
            Some(None) => return shared.end("the limit of attempts to connect is reached"),
            Some(Some(Err(failed))) if failed.retry_in().is_some() => continue,
            Some(Some(Err(failed))) => return shared.end(&failed.to_string()),
            Some(Some(Ok(ws))) => ws,
        };
        shared.opened();
        let end = carry(&mut ws, &shared).await;
        shared.lost();
        match end {
            End::Closed => {
                let outcome = ws.closed().await;
                let code = u16::from(outcome.code());
                if FINAL.contains(&code) || (code >= 4000 && code != RESUMABLE) {
                    return shared.end(&format!("the server has closed it: {outcome}"));
                }
            }
            End::Closing => {
                shared.end("closed by the application");
                drop(ws.close(CloseCode::NORMAL, "").await);
                return;
            }
            End::Foreign => {
                shared.end("the server does not speak the protocol of the hub");
                drop(ws.close(CloseCode::INVALID_DATA, "no message of ws-hub.v1").await);
                return;
            }
        }
    }
}

/// The next connection. `None` if the client is closed meanwhile.
async fn connect<R: Runtime>(
    connections: &mut Reconnect<R>,
    shared: &Shared,
) -> Option<Option<Result<WebSocket, FailedAttempt>>> {
    let mut next = pin!(connections.next());
    poll_fn(|cx| {
        if shared.is_closing(cx) {
            return Poll::Ready(None);
        }
        next.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Sends commands and receives what comes, both at once: a server that waits for us to read does not read.
async fn carry(ws: &mut WebSocket, shared: &Shared) -> End {
    let sender = ws.sender();
    let mut sending: Option<BoxFuture<'static, Result<(), Error>>> = None;
    poll_fn(|cx| {
        loop {
            let future = match &mut sending {
                Some(future) => future,
                None => match shared.next_command(cx) {
                    Next::Closing => return Poll::Ready(End::Closing),
                    Next::Nothing => break,
                    Next::Command(text) => {
                        let sender = sender.clone();
                        sending.insert(Box::pin(async move { sender.send(text).await }))
                    }
                },
            };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => sending = None,
                Poll::Ready(Err(_)) => return Poll::Ready(End::Closed),
                Poll::Pending => break,
            }
        }
        loop {
            match ws.poll_recv(cx) {
                Poll::Ready(Ok(Some(Message::Text(text)))) if shared.received(&text) => {}
                Poll::Ready(Ok(Some(_))) => return Poll::Ready(End::Foreign),
                Poll::Ready(Ok(None) | Err(_)) => return Poll::Ready(End::Closed),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
