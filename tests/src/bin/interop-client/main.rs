//! The interop checks with our client, against the servers of `tests/interop`.
//!
//! usage: `interop-client main=URL limited=URL guarded=URL deflate=URL alone=URL [count=URL] [checks=NAME|NAME…]`, over
//! TLS also `certificates=DIRECTORY mutual=URL expired=URL early=URL misnamed=URL stranger=URL`, and `http2=yes` for HTTP/2,
//! each WebSocket on a connection of its own
//!
//! One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.

mod closing;
mod compression;
mod handshake;
mod messages;
mod secure;
mod servers;
mod talk;
mod verdict;

use std::process::ExitCode;

use self::closing::Close;
use self::servers::Servers;
use self::verdict::Run;

const MIB: usize = 1 << 20;

#[tokio::main]
async fn main() -> ExitCode {
    let args = std::env::args().skip(1).filter_map(|arg| {
        let (name, value) = arg.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let mut run = Run { servers: Servers(args.collect()), failures: 0 };
    let servers = run.servers.clone();
    let to = &servers;

    run.check("text", messages::text(to)).await;
    run.check("text beyond ASCII", messages::text_beyond_ascii(to)).await;
    run.check("empty text", messages::empty_text(to)).await;
    run.check("binary, every byte value", messages::binary(to)).await;
    run.check("empty binary", messages::empty_binary(to)).await;
    run.check("1,000 messages keep their order", messages::order(to)).await;
    run.check("20 connections at once", messages::at_once(to)).await;
    run.check("fragmented text, sent", messages::fragmented_text_sent(to)).await;
    run.check("fragmented binary, sent", messages::fragmented_binary_sent(to)).await;
    run.check("fragmented text, received", messages::fragmented_text_received(to)).await;
    run.check("fragmented binary, received", messages::fragmented_binary_received(to)).await;
    run.check("ping between fragments", messages::ping_between_fragments(to)).await;
    run.check("16 MiB of text", messages::big_text(to)).await;
    run.check("16 MiB of binary", messages::big_binary(to)).await;
    run.check("16 MiB in fragments", messages::big_fragments(to)).await;
    run.check("16 MiB echoed while they are sent", messages::streamed(to)).await;
    run.check("pings we send are answered", messages::pings_sent(to)).await;
    run.check("pings we get are answered", messages::pings_received(to)).await;
    for close in Close::all() {
        run.check(&format!("we close: {}", close.name), closing::we_close(to, &close)).await;
    }
    for close in Close::all() {
        run.check(&format!("they close: {}", close.name), closing::they_close(to, &close)).await;
    }
    run.check("a failing handler closes with 1011", closing::handler_fails(to)).await;
    run.check("a message over their limit: 1009", closing::over_their_limit(to)).await;
    run.check("a message over our limit: 1009", closing::over_our_limit(to)).await;
    run.check("subprotocol", handshake::subprotocol(to)).await;
    run.check("request headers and target arrive", handshake::request_arrives(to)).await;
    run.check("response headers are seen", handshake::response_headers(to)).await;
    run.check("an Origin not on the list: 403", handshake::origin(to)).await;
    run.check("a refusal shows status, headers, body", handshake::refusal(to)).await;
    run.check("a page instead of a socket", handshake::page(to)).await;
    run.check("compression offered, declined", compression::declined(to)).await;
    run.check("their compression left alone", compression::left_alone(to)).await;
    run.check("compression with context takeover", compression::takeover(to)).await;
    run.check("compression without takeover, as they want", compression::alone(to)).await;
    run.check("compression without takeover, as we want", compression::alone_asked(to)).await;
    run.check("compression with the smallest windows", compression::small_windows(to)).await;
    run.check("compression of 16 MiB in fragments", compression::big(to)).await;
    run.check("compressed beyond their limit: 1009", compression::bomb(to)).await;
    if to.0.contains_key("count") {
        run.check("fragments leave as fragments", messages::fragments_counted(to)).await;
    }
    if to.0.contains_key("mutual") {
        run.check("a certificate that cannot be trusted is refused", secure::untrusted(to)).await;
        run.check("a client's certificate", secure::client_certificate(to)).await;
    }
    run.check("their shutdown: 1001", closing::shutdown(to)).await;
    if run.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
