//! The negotiation of compression in the opening handshake. Without the feature `deflate` it is empty.

use ws_proto::Connection;
use ws_proto::handshake::client::Builder;
use ws_proto::handshake::extensions::Extension;
#[cfg(feature = "deflate")]
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

#[cfg(feature = "deflate")]
use crate::error::CompressionError;
use crate::error::ConnectError;

/// The settings of this end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compression {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<Deflate>,
}

/// The negotiated parameters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NegotiatedCompression {
    #[cfg(feature = "deflate")]
    agreed: Option<DeflateParams>,
}

#[cfg(feature = "deflate")]
impl Compression {
    pub(crate) const fn server() -> Self {
        Self { deflate: Some(Deflate::server()) }
    }

    pub(crate) const fn client() -> Self {
        Self { deflate: Some(Deflate::client()) }
    }

    /// The server's answer to an offer.
    pub(crate) fn accept(&self, offers: &[Extension]) -> (Option<Extension>, NegotiatedCompression) {
        let (extension, agreed) = self.deflate.and_then(|deflate| deflate.accept(offers)).unzip();
        (extension, NegotiatedCompression { agreed })
    }

    /// A client's request, with its offer.
    pub(crate) fn offer(&self, builder: Builder) -> Builder {
        builder.extensions(self.deflate.map(|deflate| deflate.offer()))
    }

    /// Checks the server's answer on a client.
    pub(crate) fn confirm(&self, answers: &[Extension]) -> Result<NegotiatedCompression, ConnectError> {
        let agreed = match self.deflate {
            Some(deflate) => {
                deflate.confirm(answers).map_err(|answer| ConnectError::Compression(CompressionError::new(answer)))?
            }
            None => None,
        };
        Ok(NegotiatedCompression { agreed })
    }
}

#[cfg(not(feature = "deflate"))]
impl Compression {
    pub(crate) const fn server() -> Self {
        Self {}
    }

    pub(crate) const fn client() -> Self {
        Self {}
    }

    pub(crate) fn accept(&self, _offers: &[Extension]) -> (Option<Extension>, NegotiatedCompression) {
        (None, NegotiatedCompression::default())
    }

    pub(crate) fn offer(&self, builder: Builder) -> Builder {
        builder
    }

    pub(crate) fn confirm(&self, _answers: &[Extension]) -> Result<NegotiatedCompression, ConnectError> {
        Ok(NegotiatedCompression::default())
    }
}

impl NegotiatedCompression {
    #[cfg(feature = "deflate")]
    pub(crate) fn new(agreed: Option<DeflateParams>) -> Self {
        Self { agreed }
    }

    /// Sets the negotiated parameters on the connection.
    #[cfg(feature = "deflate")]
    pub(crate) fn apply(self, connection: &mut Connection) {
        connection.set_deflate(self.agreed);
    }

    #[cfg(not(feature = "deflate"))]
    pub(crate) fn apply(self, _connection: &mut Connection) {}
}
