//! An address at which nobody listens.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Connections to its address are refused while it lives. The port belongs to the client of a connection, so no other test that
/// asks for a free port gets it.
#[derive(Debug)]
pub struct Nobody {
    client: TcpStream,
    _server: TcpStream,
}

impl Nobody {
    /// # Panics
    ///
    /// Without loopback.
    #[must_use]
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (server, _) = listener.accept().expect("the other end of it");
        Self { client, _server: server }
    }

    /// # Panics
    ///
    /// Never on the systems known.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.client.local_addr().expect("an address")
    }
}

impl Default for Nobody {
    fn default() -> Self {
        Self::new()
    }
}
