//! "The same outcome on both sides", where a link may die at any byte. The last frame before silence is never known to
//! have arrived, so the two cannot always say the same. What they can, they do:
//!
//! 1. Nothing is made up. What one end says it received, the other says it sent: code and reason.
//! 2. Both received a Close frame: they agree. What one sent the other received, both are clean, one is normal if the
//!    other is; and somebody closed first, or both did: not both say that the other was it.
//! 3. One received a Close frame: it says what the other said last, if its cause is that. The other was cut off before
//!    the answer, or had stopped listening; it says why, and 1006.
//! 4. Neither did: both say why they stopped, and 1006.
//!
//! And each outcome is in itself consistent: clean means that the peer's Close frame was there and nobody was at fault;
//! what ended a connection without the peer's Close is never told as a Close by anybody.

use ws_proto::{Cause, CloseCode, Outcome, Violation};

/// Of both ends, in any order.
#[track_caller]
pub(crate) fn assert_agreement(a: &Outcome, b: &Outcome) {
    let both = format!("{a}\n{b}");
    for (this, other) in [(a, b), (b, a)] {
        if let Some(received) = &this.received {
            assert_eq!(Some(received), other.sent.as_ref(), "1: {both}");
            assert_eq!((this.code(), this.reason()), (received.code, &*received.reason), "{both}");
        } else {
            assert_eq!((this.code(), this.reason()), (CloseCode::ABNORMAL, ""), "3, 4: {both}");
            assert!(!matches!(this.cause, Cause::Local | Cause::Peer), "3, 4: {both}");
            assert!(!this.is_clean() && !this.is_normal(), "3, 4: {both}");
        }
        assert_eq!(this.is_clean(), this.received.is_some(), "a Close that came was the end, and nothing else: {both}");
        if let Cause::Violation(violation) = this.cause {
            assert!(matches!(violation, Violation::MessageTooBig { .. }), "neither breaks the protocol: {both}");
            assert_eq!(this.received, None, "who is at fault is not listened to: {both}");
        }
        if let Some(sent) = &this.sent {
            assert!(sent.code.may_be_sent() || sent.is_empty(), "{both}");
        }
    }
    if a.received.is_some() && b.received.is_some() {
        assert!(a.is_clean() && b.is_clean(), "2: {both}");
        assert_eq!(a.is_normal(), b.is_normal(), "2: {both}");
        assert!(a.cause == Cause::Local || b.cause == Cause::Local, "2: {both}");
    }
}
