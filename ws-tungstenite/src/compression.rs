//! Compression where another crate answers the opening handshake.
//!
//! axum, warp, poem, hyper-tungstenite and others answer the request themselves and make the stream with `from_raw_socket`. They
//! know nothing of compression. There are three ways to add it without a change to them:
//!
//! - **A layer**, with the feature `tower`: `CompressionLayer` around a service. It answers the offer of the request, and adds the
//!   answer to the response. While the service handles the request, [`WebSocketConfig::default`] returns the negotiated
//!   compression; a service that makes its configuration there needs no other change. axum does.
//! - **By hand**: [`accept`] for the request. Put the header into the response, and
//!   [`Compression::Agreed`] into the configuration.
//! - **A client** whose request another crate sends: put a header `Sec-WebSocket-Extensions: permessage-deflate` into the request,
//!   and [`Compression::Negotiate`] into the configuration. Whether the server has agreed
//!   shows in its first compressed message.
//!
//! [`WebSocketConfig::default`]: crate::protocol::WebSocketConfig

use std::cell::Cell;

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};
use ws_proto::handshake::extensions;
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

use crate::protocol::Compression;

#[cfg(feature = "tower")]
mod layer;

#[cfg(feature = "tower")]
pub use self::layer::{CompressionFuture, CompressionLayer, CompressionService};

/// A server's answer to the offers in a request's headers: the value of `Sec-WebSocket-Extensions` in the response, and the
/// parameters. `None` when nothing acceptable is offered.
///
/// ```
/// use ws_tungstenite::compression::accept;
/// use ws_tungstenite::http::Request;
/// use ws_tungstenite::protocol::{Compression, Deflate, WebSocketConfig};
///
/// let request = Request::get("/").header("Sec-WebSocket-Extensions", "permessage-deflate").body(()).unwrap();
/// let (answer, agreed) = accept(request.headers(), Deflate::server()).unwrap();
/// assert_eq!(answer, "permessage-deflate; client_no_context_takeover");
/// let config = WebSocketConfig::default().compression(Some(Compression::Agreed(agreed)));
/// # let _ = config;
/// ```
pub fn accept(headers: &HeaderMap, deflate: Deflate) -> Option<(HeaderValue, DeflateParams)> {
    if !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return None;
    }
    // A malformed list is answered as none.
    let offers = extensions::parse(headers).ok()?;
    let (answer, agreed) = deflate.accept(&offers)?;
    Some((HeaderValue::try_from(extensions::format(&[answer])).ok()?, agreed))
}

thread_local! {
    /// What was negotiated for the request that this thread handles now.
    static CURRENT: Cell<Option<DeflateParams>> = const { Cell::new(None) };
    /// Whether a configuration has taken it.
    static IS_TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// The compression for configurations that are made now.
pub(crate) fn current() -> Option<Compression> {
    let agreed = CURRENT.try_with(Cell::get).ok()??;
    let _ = IS_TAKEN.try_with(|is_taken| is_taken.set(true));
    Some(Compression::Agreed(agreed))
}
