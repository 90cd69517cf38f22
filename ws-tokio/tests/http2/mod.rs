//! WebSocket over HTTP/2 (RFC 8441), with `h2` as a peer that misbehaves.

mod client;
#[cfg(all(feature = "proxies", feature = "redirects"))]
mod elsewhere;
mod ends;
mod flow;
mod limits;
mod many;
mod raw;
#[cfg(all(feature = "auth", feature = "proxies", feature = "routes"))]
mod requests;
mod shutdown;
mod slow;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use ws_tokio::{Cause, Error, HandlerResult, Http2, Message, Outcome, Server, WebSocket};

use self::raw::Peer;
use crate::common::*;

fn server() -> Server {
    // A peer that a test leaves alone does not answer the shutdown at its end.
    let server = Server::new().http2(Http2::default()).drain_timeout(Duration::from_secs(2));
    #[cfg(feature = "deflate")]
    let server = server.compression(None);
    server
}

/// The end of a connection as its handler saw it.
#[derive(Debug)]
struct Ended {
    messages: Vec<Message>,
    outcome: Outcome,
    /// The text of the I/O error, if there was one.
    io: Option<String>,
}

/// A server whose handlers echo, and report the end.
async fn reporting(server: Server) -> (Running, UnboundedReceiver<Ended>) {
    let (told, ends) = unbounded_channel();
    let handler = move |mut ws: WebSocket| {
        let told = told.clone();
        async move {
            let mut messages = Vec::new();
            let ended = loop {
                match ws.recv().await {
                    Ok(Some(message)) => {
                        messages.push(message.clone());
                        if let Err(error) = ws.send(message).await {
                            break Err(error);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            let io = ended.err().and_then(|error: Error| Some(error.closed()?.io_error()?.to_string()));
            let outcome = ws.closed().await;
            told.send(Ended { messages, outcome, io }).unwrap();
            HandlerResult::Ok(())
        }
    };
    (start(server, handler).await, ends)
}

impl Ended {
    #[track_caller]
    fn assert_lost(&self, cause: Cause) {
        assert_eq!((u16::from(self.outcome.code()), &self.outcome.cause), (1006, &cause), "{self:?}");
    }
}

async fn next(ends: &mut UnboundedReceiver<Ended>) -> Ended {
    in_time(ends.recv()).await.unwrap()
}

const SHORT: Duration = Duration::from_millis(100);
