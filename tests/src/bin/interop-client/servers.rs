//! Where the servers listen, and connections to them.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::http::Version;
use ws_tokio::{Client, Config, Deflate, Http2Connections, WebSocket};

use crate::MIB;
use crate::talk::{done, next_json};
use crate::verdict::{Failure, same};

/// Where the servers listen, by name, and what else was said on the command line.
#[derive(Clone)]
pub(crate) struct Servers(pub(crate) HashMap<String, String>);

impl Servers {
    pub(crate) fn url(&self, name: &str) -> Result<&str, Failure> {
        self.0.get(name).map(String::as_str).ok_or_else(|| Failure(format!("no URL for {name}")))
    }

    /// The host and port of a listener.
    pub(crate) fn address(&self, name: &str) -> Result<&str, Failure> {
        Ok(self.url(name)?.trim_start_matches("ws://").trim_start_matches("wss://"))
    }

    pub(crate) fn client(&self, name: &str, path: &str) -> Result<Client, Failure> {
        self.client_of(&format!("{}{path}", self.url(name)?))
    }

    fn client_of(&self, url: &str) -> Result<Client, Failure> {
        let mut roomy = Config::default();
        roomy.limits.message = Some(32 * MIB);
        roomy.limits.frame = Some(32 * MIB);
        let mut client = Client::new(url).config(roomy);
        if self.uses_http2() {
            client = client.http2(&Http2Connections::new());
        }
        Ok(match url.starts_with("wss://") {
            true => client.ca(self.certificate("ca.pem")?),
            false => client,
        })
    }

    fn uses_http2(&self) -> bool {
        self.0.get("http2").is_some_and(|uses| uses == "yes")
    }

    /// What a file of the certificates holds.
    pub(crate) fn certificate(&self, file: &str) -> Result<Vec<u8>, Failure> {
        let directory = self.0.get("certificates").ok_or_else(|| Failure("no certificates".to_owned()))?;
        Ok(std::fs::read(Path::new(directory).join(file))?)
    }

    pub(crate) async fn dial(&self, path: &str) -> Result<WebSocket, Failure> {
        let ws = self.client("main", path)?.connect().await?;
        let version = if self.uses_http2() { Version::HTTP_2 } else { Version::HTTP_11 };
        same(ws.response().version(), version)?;
        Ok(ws)
    }

    /// With compression, and the bytes on the wire counted.
    pub(crate) async fn dial_counted(
        &self,
        listener: &str,
        path: &str,
        deflate: Deflate,
    ) -> Result<(WebSocket, Arc<Traffic>), Failure> {
        let address = self.address(listener)?;
        let (relay, traffic) = Traffic::count(address).await?;
        let url = format!("{}{path}", self.url(listener)?.replace(address, &relay));
        let ws = self.client_of(&url)?.compression(Some(deflate)).connect().await?;
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

/// Bytes sent and received, by one connection.
#[derive(Default)]
pub(crate) struct Traffic {
    sent: AtomicUsize,
    received: AtomicUsize,
}

impl Traffic {
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// An address that leads to `target`, once, and the count of what goes there and comes back.
    async fn count(target: &str) -> io::Result<(String, Arc<Self>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let target = target.to_owned();
        let traffic = Arc::new(Self::default());
        let counted = Arc::clone(&traffic);
        tokio::spawn(async move {
            let (mut near, _) = listener.accept().await?;
            let mut far = TcpStream::connect(target).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            let ((from_near, to_near), (from_far, to_far)) = (near.split(), far.split());
            tokio::try_join!(pass_on(from_near, to_far, &counted.sent), pass_on(from_far, to_near, &counted.received))
        });
        Ok((address, traffic))
    }
}

/// Passes bytes on until their end, which it passes on, too.
async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicUsize,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(n, Ordering::Relaxed);
        to.write_all(&buffer[..n]).await?;
    }
}
