//! The settings NAME=VALUE of the command line.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use ws_tokio::{Client, Deflate, Http2Connections, ProxyProtocol, Server};

use crate::Failure;

pub(crate) struct Settings(HashMap<String, String>);

impl Settings {
    pub(crate) fn parse(words: &[&str]) -> Self {
        let pairs = words.iter().filter_map(|word| word.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn seconds(&self, name: &str, default: f64) -> Result<Duration, Failure> {
        match self.get(name) {
            Some(text) => Ok(Duration::try_from_secs_f64(text.parse()?)?),
            None => Ok(Duration::from_secs_f64(default)),
        }
    }

    /// Compression is off, unless the exchange is about it.
    fn deflate(&self, on: bool, default: Deflate) -> Option<Deflate> {
        (on || self.get("compression") == Some("on")).then_some(default)
    }

    pub(crate) fn client(&self, url: &str, compressed: bool) -> Result<Client, Failure> {
        let mut client = Client::new(url).no_proxy().compression(self.deflate(compressed, Deflate::client()));
        if let Some(limit) = self.get("limit") {
            let limit = Some(limit.parse()?);
            client = client.configure(|config| {
                config.limits.message = limit;
                config.limits.frame = limit;
            });
        }
        if let Some(directory) = self.get("certificates") {
            client = client.ca(std::fs::read(Path::new(directory).join("ca.pem"))?);
        }
        if let Some(names) = self.get("subprotocols") {
            client = client.subprotocols(names.split(','));
        }
        if let Some(origin) = self.get("origin") {
            client = client.origin(origin);
        }
        for header in self.get("headers").into_iter().flat_map(|headers| headers.split('\n')) {
            let (name, value) = header.split_once(':').ok_or("a header is NAME:VALUE")?;
            client = client.header(name.trim(), value.trim());
        }
        if self.get("http2") == Some("yes") {
            client = client.http2(&Http2Connections::new());
        }
        Ok(match self.get("ping") {
            Some("off") => client.ping_interval(None),
            Some(_) => client.ping_interval(self.seconds("ping", 0.0)?),
            None => client,
        })
    }

    pub(crate) fn server(&self, compressed: bool) -> Result<Server, Failure> {
        let mut deflate = Deflate::server();
        if let Some(bits) = self.get("window") {
            deflate.receive_window_bits = bits.parse()?;
        }
        let mut server = Server::new().compression(self.deflate(compressed, deflate));
        if let Some(directory) = self.get("certificates").filter(|_| self.get("tls") == Some("yes")) {
            let read = |file: &str| std::fs::read(Path::new(directory).join(file));
            server = server.tls(read("server.pem")?, read("server.key")?);
        }
        if self.get("proxy-protocol") == Some("yes") {
            server = server.proxy_protocol(ProxyProtocol::Required).trusted_proxies(["127.0.0.1"]);
        }
        if let Some(names) = self.get("subprotocols") {
            server = server.subprotocols(names.split(','));
        }
        Ok(match self.get("ping") {
            Some("off") => server.ping_interval(None),
            Some(_) => server.ping_interval(self.seconds("ping", 0.0)?),
            None => server,
        })
    }
}
