//! RFC 6455 §5.5.1 and §7: the closing handshake and close codes. (Who lets go of the transport when is in
//! `transport`.)

mod by_the_peer;
mod by_us;
mod codes_and_reasons;
mod held_close;
mod outcomes;
mod unwritable;
mod without_a_close;

use crate::common::*;
use ws_proto::{Cause, Outcome};

fn outcome(sent: Option<(u16, &str)>, received: Option<(u16, &str)>, cause: Cause) -> Seen {
    let frame = |(code, reason)| close_frame(code, reason);
    Seen::Closed(Outcome::new(sent.map(frame), received.map(frame), cause))
}

/// The same, where the peer's Close frame was against the rules and had this body.
fn malformed(sent: Option<(u16, &str)>, received: (u16, &str), body: &[u8], cause: Cause) -> Seen {
    match outcome(sent, Some(received), cause) {
        Seen::Closed(mut outcome) => {
            outcome.malformed = Some(body.into());
            Seen::Closed(outcome)
        }
        other => other,
    }
}
