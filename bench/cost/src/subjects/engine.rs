//! Frames for a connection of the core. What it answers is taken at once.

use std::hint::black_box;

use ws_proto::handshake::extensions::{Extension, Param};
use ws_proto::permessage_deflate::{Deflate, DeflateParams};
use ws_proto::{Buf, Config, Connection, Delivery, Timestamp};

use super::Job;

pub(super) fn server(input: &[u8], read: usize) -> Job {
    let mut connection = Connection::server(Config::default(), Timestamp::ZERO);
    connection.set_deflate(Some(agreed()));
    frames(connection, input, read)
}

pub(super) fn chunks(input: &[u8]) -> Job {
    let mut config = Config::default();
    config.delivery = Delivery::Chunks;
    let mut connection = Connection::server(config, Timestamp::ZERO);
    connection.set_deflate(Some(agreed()));
    frames(connection, input, usize::MAX)
}

pub(super) fn client(input: &[u8]) -> Job {
    let mut connection = Connection::client(Config::default(), || [1, 2, 3, 4], Timestamp::ZERO);
    connection.set_deflate(Some(agreed()));
    frames(connection, input, usize::MAX)
}

/// What a server agrees on with a browser.
fn agreed() -> DeflateParams {
    let params = vec![Param { name: "client_max_window_bits".into(), value: None }];
    let offer = Extension { name: "permessage-deflate".into(), params };
    Deflate::server().accept(&[offer]).expect("it can be met").1
}

fn frames(mut connection: Connection, input: &[u8], read: usize) -> Job {
    let mut input = input.to_vec();
    Box::new(move || {
        for piece in black_box(&mut input[..]).chunks_mut(read) {
            let mut piece = piece;
            while let Some(event) = connection.receive(&mut piece, Timestamp::ZERO) {
                black_box(event);
            }
            let outgoing = connection.outgoing();
            while outgoing.has_remaining() {
                let n = black_box(outgoing.chunk()).len();
                outgoing.advance(n);
            }
            black_box(connection.transport_state());
            black_box(connection.poll_timeout(Timestamp::ZERO));
        }
    })
}
