//! permessage-deflate (RFC 7692), by section: what is negotiated, what is sent, what is received.
#![cfg(feature = "deflate")]

mod budget;
mod ends;
mod examples;
mod idle;
#[cfg(feature = "handshake")]
mod negotiation;
mod receiving;
pub(crate) mod samples;
mod sending;
