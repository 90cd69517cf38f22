//! The protocol's rules, in one program: a module for each concern. `memory` is a program of its own, as it counts what is
//! allocated.

mod common;

mod closing_7;
mod control_5_5;
mod data_5_6_utf8_8_1;
mod deadlines;
mod deflate;
mod escaping;
mod fragmentation_5_4;
mod framing_5_2;
mod handshake_client;
mod handshake_server;
mod http2_8441;
mod keepalive;
mod limits_10_4;
mod limits_table;
mod masking_5_1_5_3;
mod own_frames;
mod pair;
mod pieces;
mod properties;
mod rates;
mod reading;
mod refusals;
mod sending;
mod slow_readers;
mod stats;
mod streamed;
mod streaming;
mod texts;
mod transport;
