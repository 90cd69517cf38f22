//! Connecting, and the client's half of the opening handshake.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket};

use crate::STALL;
use crate::cycle::Wire;

/// With the key of RFC 6455 §1.3, up to where more fields may come.
macro_rules! request_fields {
    () => {
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    };
}

const REQUEST: &[u8] = concat!(request_fields!(), "\r\n").as_bytes();

/// The `index`th connection to a server, non-blocking, upgraded where `wire` says so.
pub(crate) fn connect(server: SocketAddr, index: usize, wire: Wire) -> Result<TcpStream> {
    let connect = || -> Result<TcpStream> {
        let mut stream = dial(server, index)?;
        if wire == Wire::WebSocket {
            request(&mut stream)?;
            await_answer(&mut stream, wire)?;
        }
        Ok(stream)
    };
    connect().with_context(|| format!("connection {index}"))
}

/// [`connect`], offering an extension; what the server answers to that.
pub(crate) fn connect_offering(server: SocketAddr, index: usize, offer: &str) -> Result<(TcpStream, Option<String>)> {
    let connect = || -> Result<_> {
        let mut stream = dial(server, index)?;
        let request = format!(concat!(request_fields!(), "Sec-WebSocket-Extensions: {}\r\n\r\n"), offer);
        // In one piece: not everyone takes it in several.
        stream.write_all(request.as_bytes())?;
        let head = await_answer(&mut stream, Wire::WebSocket)?;
        let agreed = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("Sec-WebSocket-Extensions").then(|| value.trim().to_owned())
        });
        Ok((stream, agreed))
    };
    connect().with_context(|| format!("connection {index}"))
}

/// A TCP connection. Source addresses take turns, so that ports of connections just closed do not run out.
pub(crate) fn dial(server: SocketAddr, index: usize) -> Result<TcpStream> {
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1 + (index % 200) as u8), 0));
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, IpBindAddressNoPort, &true)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(source))?;
    nix::sys::socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(server))?;
    let stream = TcpStream::from(fd);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

pub(crate) fn request(stream: &mut TcpStream) -> Result<()> {
    Ok(stream.write_all(REQUEST)?)
}

/// Waits for the 101, or for the echo of the request; without sleeping, which would make the server wake us.
pub(crate) fn await_answer(stream: &mut TcpStream, wire: Wire) -> Result<String> {
    let start = Instant::now();
    let (mut answer, mut len) = ([0; 2048], 0);
    while !answer[..len].ends_with(b"\r\n\r\n") {
        match stream.read(&mut answer[len..]) {
            Ok(0) => bail!("closed during the handshake"),
            Ok(n) => len += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(start.elapsed() < STALL, "no answer to the upgrade for {STALL:?}");
                std::hint::spin_loop();
            }
            Err(error) => return Err(error.into()),
        }
    }
    let head = String::from_utf8_lossy(&answer[..len]);
    let accepted = match wire {
        Wire::Raw => head.as_bytes() == REQUEST,
        Wire::WebSocket => head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    };
    ensure!(accepted, "no upgrade: {head}");
    Ok(head.into_owned())
}
