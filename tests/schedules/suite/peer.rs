//! Frames to and from a client played by hand.

pub(crate) use ws_test_support::frames::{CLOSE, Frame, PING};
use ws_test_support::frames::{TEXT, masked};

/// A text message from a client.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    masked(TEXT, payload)
}

/// A ping from a client.
pub(crate) fn ping(payload: &str) -> Vec<u8> {
    masked(PING, payload)
}

/// The whole texts among the frames, in order.
pub(crate) fn texts(frames: &[Frame]) -> Vec<&str> {
    let whole = frames.iter().filter(|frame| frame.0 == TEXT);
    whole.map(|frame| std::str::from_utf8(&frame.1).expect("text")).collect()
}
