//! How a client reads the server's response.

use std::sync::Arc;

use http::Response;
use ws_proto::handshake::head::HeadLimits;

use super::Client;
use crate::runtime::Runtime;

/// Looks at informational responses.
pub(super) type OnInformational = Arc<dyn Fn(&Response<()>) + Send + Sync>;

impl<R: Runtime> Client<R> {
    /// Sets the limits for the head of the server's response. Default 16 KiB and 100 headers. Informational responses count.
    /// Beyond a limit, connecting fails with [`ConnectError::Handshake`](crate::ConnectError::Handshake). They have no effect
    /// over HTTP/2.
    #[must_use]
    pub fn head_limits(self, limits: HeadLimits) -> Self {
        self.request(|builder| builder.limits(limits))
    }

    /// Calls `hook` with each informational response before the final one, such as 100 (RFC 9110 §15.2.1) or 103 (RFC 8297):
    /// status and headers. Without a hook they are skipped. It is called within the future of [`connect`](Self::connect), so
    /// it must not block.
    #[must_use]
    pub fn on_informational(mut self, hook: impl Fn(&Response<()>) + Send + Sync + 'static) -> Self {
        self.on_informational = Some(Arc::new(hook));
        self
    }
}
