//! Messages in pieces: received while they arrive, and sent while they are made.

mod broadcasting;
mod receiving;
mod sending;

use ws_proto::Role;
use ws_session::{Config, Error, MessageKind, Parts, WebSocket, WebSocketStream};

use crate::sim::*;

const BINARY_BEGINS: u8 = 0x02;
const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// A connection without a task, with a peer played by hand.
fn polled(world: &World, role: Role, config: &Config, options: LinkOptions) -> (WebSocketStream<End, SimTimer>, Peer) {
    let (ours, theirs) = link(options, &mut world.rng());
    let (parts, peer) = match role {
        Role::Server => (Parts::server(ours, SimTimer::new()), Role::Client),
        Role::Client => (Parts::client(ours, SimTimer::new()), Role::Server),
    };
    (parts.config(config.clone()).into_stream(), Peer::new(peer, theirs))
}

/// Whole messages of up to 1 KiB, and streamed ones of any length.
fn long(config: &mut Config) {
    (config.limits.message, config.limits.frame) = (Some(1 << 10), Some(1 << 10));
    config.limits.streamed = None;
}

/// The payload of a message that is received in chunks.
async fn payload<S: ws_session::StreamSource>(
    message: &mut ws_session::IncomingStream<'_, S>,
) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    while let Some(chunk) = message.chunk().await? {
        assert!(!chunk.is_empty());
        all.extend_from_slice(&chunk);
    }
    assert_eq!(message.chunk().await?, None, "the end stays");
    Ok(all)
}

/// All messages until the end, received in chunks.
async fn all(mut ws: WebSocket, log: Log<(MessageKind, Vec<u8>)>) -> Result<(), Error> {
    while let Some(mut message) = ws.recv_streaming().await? {
        let kind = message.kind();
        log.push((kind, payload(&mut message).await?));
    }
    Ok(())
}
