//! A program without the standard library that encodes and decodes with the core: it links only when nothing in the
//! core, or below it, needs std. It exits with 0 when a message went from one end to the other and back, and both ends
//! closed.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::ffi::c_int;

use panic_halt as _;
use static_alloc::Bump;
use ws_proto::{Buf, CloseCode, CloseFrame, Config, Connection, Event, Message, Timestamp};

/// The heap: memory is taken from it and never given back, which is enough here.
#[global_allocator]
static HEAP: Bump<[u8; 4 << 20]> = Bump::uninit();

// The C runtime starts the program; this attribute, not a block of code, is what Rust calls unsafe here.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    c_int::from(echo() != Some(()))
}

/// A client sends a text, a server sends it back, the client closes.
fn echo() -> Option<()> {
    let now = Timestamp::ZERO;
    let mut client = Connection::client(Config::default(), || [1, 2, 3, 4], now);
    let mut server = Connection::server(Config::default(), now);

    #[cfg(feature = "deflate")]
    {
        use ws_proto::permessage_deflate::{Deflate, DeflateParams};
        // Every message is compressed, however short it is.
        let mut agreed = DeflateParams::new(Deflate::server());
        agreed.threshold = 0;
        client.set_deflate(Some(agreed));
        server.set_deflate(Some(agreed));
    }

    client.send(Message::from("Hello, 世界")).ok()?;
    let mut request = written(&mut client);
    let mut input = request.as_mut_slice();
    let Some(Event::Message(message)) = server.receive(&mut input, now) else { return None };
    server.send(message.into_message()).ok()?;

    let mut response = written(&mut server);
    let mut input = response.as_mut_slice();
    let Some(Event::Message(message)) = client.receive(&mut input, now) else { return None };
    if message.into_message().as_text() != Some("Hello, 世界") {
        return None;
    }

    client.close(CloseFrame::new(CloseCode::NORMAL, "done"), now).ok()?;
    let mut close = written(&mut client);
    let mut input = close.as_mut_slice();
    let Some(Event::Closed(outcome)) = server.receive(&mut input, now) else { return None };
    let mut echo = written(&mut server);
    let mut input = echo.as_mut_slice();
    let Some(Event::Closed(_)) = client.receive(&mut input, now) else { return None };
    outcome.is_normal().then_some(())
}

/// Takes out all that is to be written.
fn written(connection: &mut Connection) -> Vec<u8> {
    let outgoing = connection.outgoing();
    let mut bytes = Vec::new();
    while outgoing.has_remaining() {
        let n = outgoing.chunk().len();
        bytes.extend_from_slice(outgoing.chunk());
        outgoing.advance(n);
    }
    bytes
}
