//! WebSocket over HTTP/2 (RFC 8441): the I/O, with `h2`. The policy is in `ws-session`.

mod below;
mod client;
mod server;
mod stream;

pub(crate) use self::client::connect;
pub(crate) use self::server::serve;
pub use self::stream::Http2Stream;
