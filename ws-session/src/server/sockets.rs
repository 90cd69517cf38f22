//! The sockets on which a server listens.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use super::bind::{self, ServeError};
use super::{Listening, Server};
use crate::runtime::Runtime;

impl<R: Runtime> Server<R> {
    /// Listens on a TCP address. The system holds up to 1,024 connections that wait to be accepted, or fewer if its own limit
    /// is lower. A host name is resolved by a call that blocks, so prefer an IP address.
    ///
    /// A name such as `localhost` may have several addresses, of IPv6 and IPv4. The server listens on all of them, on the
    /// same port. [`Listening::local_addrs`] lists them. Addresses that this machine does not have are skipped, unless there
    /// is no other.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound, or a setting is invalid.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<Listening<R>, ServeError> {
        let server = self.ready()?;
        server.listen_on_all(bind::bind(address)?)
    }

    /// Uses a socket that listens already.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch the socket, or a setting is invalid.
    pub fn listen_on(self, listener: TcpListener) -> Result<Listening<R>, ServeError> {
        self.ready()?.listen_on_all(vec![listener])
    }

    fn listen_on_all(self, listeners: Vec<TcpListener>) -> Result<Listening<R>, ServeError> {
        let listen = |listener: TcpListener| {
            listener.set_nonblocking(true)?;
            R::listen(listener)
        };
        let listeners: io::Result<Vec<_>> = listeners.into_iter().map(listen).collect();
        Ok(Listening::new(listeners?, self.settings, self.registry))
    }
}
