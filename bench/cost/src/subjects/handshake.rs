//! The opening handshake, in both roles.

use std::future::Future;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use ws_proto::handshake::client::ClientHandshake;
use ws_proto::permessage_deflate::Deflate;
use ws_session::{Addresses, Server};

use super::Job;
use super::endpoint::{Link, Still, context};

/// A request as a browser makes it.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://example.com\r\n\
     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// The nonce of RFC 6455 §1.3; the answer to it is that of the same section.
const NONCE: &[u8; 16] = b"the sample nonce";

/// A server that looks at all that it can look at.
pub(super) fn request(input: &[u8], read: usize) -> Job {
    let link = Link::default();
    link.push(input, if read == usize::MAX { 0 } else { read });
    let server = Server::<Still>::new()
        .origins(["https://example.com", "https://www.example.com"])
        .subprotocols(["first.example", "second.example", "third.example"])
        .trusted_proxies(["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"]);
    let peer = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 1234));
    let addresses = Addresses::new(None, Some(peer));
    let mut accepting: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
        let _ = black_box(server.accept(link, addresses).await);
    });
    Box::new(move || {
        let _ = accepting.as_mut().poll(&mut context());
    })
}

pub(super) fn response(input: &[u8], read: usize) -> Job {
    let input = input.to_vec();
    let deflate = Deflate::client();
    let builder = ClientHandshake::builder("example.com", "/chat").extensions([deflate.offer()]);
    let mut handshake = builder.subprotocols(["first.example"]).build(*NONCE).expect("a valid request");
    Box::new(move || {
        let ends = if read == 1 { 1..=input.len() } else { input.len()..=input.len() };
        for end in ends {
            match handshake.receive(black_box(&input[..end])) {
                Ok(None) => {}
                Ok(Some(established)) => {
                    let _ = black_box(deflate.confirm(&established.extensions));
                    break;
                }
                Err(error) => {
                    black_box(error);
                    break;
                }
            }
        }
    })
}
