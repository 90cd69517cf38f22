//! The opening handshake (RFC 6455 §4), without I/O: HTTP/1.1 heads in, HTTP/1.1 heads out.
//!
//! ```text
//!  server   bytes ─► RequestReader ─► http::Request ─► Upgrade ─► AcceptedUpgrade ─► encode::response_head ─► bytes
//!                         └───────────────┬───────────────┴──► Rejection ─► encode::response ─► bytes
//!
//!  client   ClientHandshake::builder ─► ClientHandshake ─► bytes
//!                    bytes ─► ClientHandshake::receive ─► Established
//!                                        └─► HandshakeError::Rejected ─► body::BodyReader
//! ```
//!
//! The caller owns the read buffer. A reader is given *everything received so far* and remembers how much of it
//! has been looked at, so a head that comes byte by byte costs linear time. What follows the head, such as a
//! frame in the same segment, stays in the caller's buffer: `consumed` says where it begins.
//!
//! What stands elsewhere: time (the deadline for the handshake), randomness (the client's nonce is a parameter),
//! and the `Date` of a response.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`head`] | the incremental reader of heads, and its limits |
//! | [`server`] | what a server checks and answers, its rejections, and the check of origins |
//! | [`client`] | the request, and what the response must hold |
//! | [`extensions`] | the syntax of `Sec-WebSocket-Extensions` |
//! | [`encode`] | requests and responses as bytes |
//! | [`body`] | the body of a response that refuses the handshake |

pub mod body;
pub mod client;
pub mod encode;
pub mod extensions;
pub mod head;
pub mod server;

mod fields;
mod key;
mod origins;
mod rejection;
