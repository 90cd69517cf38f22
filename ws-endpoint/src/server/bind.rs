//! A listening socket that many can knock at together.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections the system may hold that nobody has accepted yet. The standard library asks for 128, and when
/// more come at once, the clients that find no room try again only after a second.
const BACKLOG: i32 = 1024;

/// Listens on the first of the addresses that can be had.
pub(super) fn bind(addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen on");
    for address in addresses.to_socket_addrs()? {
        match bind_one(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Elsewhere it would let two servers share the address.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    // Its connections are to send small writes at once, and most systems pass that on to them.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
