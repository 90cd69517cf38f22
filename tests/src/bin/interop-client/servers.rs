//! Where the servers listen, and connections to them.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::net::TcpStream;
use ws_tokio::{Addresses, Client, Config, Deflate, TokioIo, Transport, WebSocket};

use crate::MIB;
use crate::talk::{done, next_json};
use crate::verdict::Failure;

/// Where the servers listen, by name.
#[derive(Clone)]
pub(crate) struct Servers(pub(crate) HashMap<String, String>);

impl Servers {
    pub(crate) fn url(&self, name: &str) -> Result<&str, Failure> {
        self.0.get(name).map(String::as_str).ok_or_else(|| Failure(format!("no URL for {name}")))
    }

    pub(crate) fn client(&self, name: &str, path: &str) -> Result<Client, Failure> {
        let mut roomy = Config::default();
        roomy.limits.message = Some(32 * MIB);
        roomy.limits.frame = Some(32 * MIB);
        Ok(Client::new(&format!("{}{path}", self.url(name)?)).config(roomy))
    }

    pub(crate) async fn dial(&self, path: &str) -> Result<WebSocket, Failure> {
        Ok(self.client("main", path)?.connect().await?)
    }

    /// With compression, and the bytes on the wire counted.
    pub(crate) async fn dial_counted(
        &self,
        listener: &str,
        path: &str,
        deflate: Deflate,
    ) -> Result<(WebSocket, Arc<Traffic>), Failure> {
        let address = self.url(listener)?.trim_start_matches("ws://");
        let traffic = Arc::new(Traffic::default());
        let stream = Counted { io: TokioIo::new(TcpStream::connect(address).await?), traffic: Arc::clone(&traffic) };
        let client = self.client(listener, path)?.compression(Some(deflate));
        let (ws, driver) = client.handshake(stream, Addresses::default()).await?;
        tokio::spawn(driver);
        Ok((ws, traffic))
    }

    /// How the server saw connection `id` end.
    pub(crate) async fn seen(&self, id: &str) -> Result<(u16, String), Failure> {
        let mut ws = self.dial(&format!("/seen?id={id}")).await?;
        let ending = next_json(&mut ws).await?;
        done(ws).await?;
        let code = ending["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        match (code, ending["reason"].as_str()) {
            (Some(code), Some(reason)) => Ok((code, reason.to_owned())),
            _ => Err(Failure(format!("the server says {ending}"))),
        }
    }
}

/// Bytes sent and received.
#[derive(Default)]
pub(crate) struct Traffic {
    sent: AtomicUsize,
    received: AtomicUsize,
}

impl Traffic {
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

struct Counted {
    io: TokioIo<TcpStream>,
    traffic: Arc<Traffic>,
}

impl Transport for Counted {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = self.io.poll_read(cx, buffer);
        count(&self.traffic.received, &polled);
        polled
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = self.io.poll_write_vectored(cx, buffers);
        count(&self.traffic.sent, &polled);
        polled
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }
}

fn count(counter: &AtomicUsize, polled: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(bytes)) = polled {
        counter.fetch_add(*bytes, Ordering::Relaxed);
    }
}
