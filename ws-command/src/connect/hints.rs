//! What to try next, when a connection did not open or did not last.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use ws_tokio::{Cause, ConnectError, Outcome, TlsError};

/// What has been said on a connection, as far as a hint needs it.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicBool,
    answered: AtomicBool,
}

impl Traffic {
    pub(super) fn sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    pub(super) fn received(&self) {
        if self.sent.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a message was sent, and none has come since.
    fn is_unanswered(&self) -> bool {
        self.sent.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }
}

/// What the request held, as far as a hint needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// An `Origin` header.
    pub(super) origin: bool,
    /// An offer of permessage-deflate.
    pub(super) compression: bool,
}

/// What may help where no connection opened.
pub(super) fn for_failure(error: &ConnectError, asked: Asked, host: &str) -> Option<String> {
    let refuses = match error {
        ConnectError::Tls(TlsError::UnknownIssuer | TlsError::Authority) => {
            return Some("--ca FILE trusts a certificate; --insecure trusts whoever answers.".to_owned());
        }
        // As ws (npm) and autobahn have it, where RFC 7692 §7 has a server decline the offer.
        ConnectError::Rejected(response) if response.status() == StatusCode::BAD_REQUEST && asked.compression => {
            return Some(
                "Some servers answer 400 to an offer to compress messages: --no-compression offers nothing.".to_owned(),
            );
        }
        ConnectError::Eof => true,
        ConnectError::Io(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        ConnectError::Rejected(response) => response.status() == StatusCode::FORBIDDEN,
        _ => false,
    };
    (refuses && !asked.origin)
        .then(|| format!("Some servers answer only to a page of their own: --origin http://{host} sends an Origin."))
}

/// What may help where a connection was lost.
pub(super) fn for_loss(outcome: &Outcome, compressed: bool, traffic: &Traffic) -> Option<&'static str> {
    let without_a_close = outcome.received.is_none() && outcome.cause != Cause::Unanswered;
    (without_a_close && compressed && traffic.is_unanswered()).then_some(
        "The server has left at our first message, which may have been compressed: --no-compression does without.",
    )
}
