//! Extensions of the protocol (RFC 6455 §9), each in a folder of its own.

#[cfg(feature = "deflate")]
pub mod permessage_deflate;
