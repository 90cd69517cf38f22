//! Received Close frames (RFC 6455 §5.5.1).

use alloc::boxed::Box;
use alloc::string::String;

use bytestring::ByteString;

use crate::close::{CloseCode, CloseFrame};
use crate::error::Violation;

/// A received Close frame.
#[derive(Debug)]
pub(crate) struct ReceivedClose {
    pub(crate) frame: CloseFrame,
    /// The violation in it, if any, and its raw body.
    pub(crate) fault: Option<(Violation, Box<[u8]>)>,
}

impl ReceivedClose {
    /// Parses the body of a Close frame (RFC 6455 §5.5.1, §7.4).
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Some((code, reason)) = body.split_first_chunk::<2>() else {
            let fault = (!body.is_empty()).then(|| (Violation::TruncatedCloseCode, body.into()));
            return Self { frame: CloseFrame::EMPTY, fault };
        };
        let code = CloseCode::from(u16::from_be_bytes(*code));
        let utf8 = core::str::from_utf8(reason);
        let fault = match utf8 {
            _ if !code.may_be_sent() => Some(Violation::InvalidCloseCode(code.into())),
            Err(_) => Some(Violation::InvalidCloseReason),
            Ok(_) => None,
        };
        let reason = utf8.map_or_else(|_| String::from_utf8_lossy(reason).into_owned().into(), ByteString::from);
        Self { frame: CloseFrame { code, reason }, fault: fault.map(|violation| (violation, body.into())) }
    }
}
