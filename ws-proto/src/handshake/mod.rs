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
//! HTTP/2 and HTTP/3 have another form, an extended CONNECT (RFC 8441, RFC 9220). It is data only, because an HTTP library does
//! the I/O:
//!
//! ```text
//!  server   http::Request, :protocol ─► Upgrade::extended_connect ─► AcceptedUpgrade ─► http::Response
//!  client   Builder::build_extended_connect ─► ExtendedConnect ─► http::Request
//!                                http::Response ─► ExtendedConnect::confirm ─► Confirmed
//! ```
//!
//! A proxy is asked for a tunnel first (RFC 9110 §9.3.6):
//!
//! ```text
//!  client   Tunnel ─► bytes;  bytes ─► Tunnel::receive ─► TunnelOpened
//!                                        └─► TunnelError::Refused ─► body::BodyReader
//! ```
//!
//! The caller owns the read buffer. A reader takes *everything received so far* and remembers how much of it has been
//! parsed, so a head that arrives byte by byte costs linear time. Bytes after the head, such as a frame in the same segment,
//! stay in the caller's buffer: they begin at `consumed`.
//!
//! The caller is responsible for the deadline of the handshake, for the client's random nonce, and for the `Date` of a
//! response.
//!
//! | file | content |
//! | --- | --- |
//! | [`head`] | the incremental reader of heads, and its limits |
//! | [`server`] | the checks and answers of a server, rejections, and allowed origins |
//! | [`client`] | the request, and the checks of the response |
//! | [`tunnel`] | a CONNECT request to a proxy, and its response |
//! | [`extensions`] | the syntax of `Sec-WebSocket-Extensions` |
//! | [`encode`] | requests and responses as bytes |
//! | [`body`] | the body of a response that refuses the handshake |

pub mod body;
pub mod client;
pub mod encode;
pub mod extensions;
pub mod head;
pub mod server;
pub mod tunnel;

mod fields;
mod key;
mod origins;
mod rejection;
