//! `/time`: the server's time, sent at random intervals.

use std::time::Duration;

use jiff::Timestamp;
use ws_tokio::{HandlerResult, WebSocket};

/// The shortest and the longest pause between two messages, in milliseconds.
const PAUSE: std::ops::RangeInclusive<u64> = 200..=3000;

/// Sends the time at random intervals until the client leaves. The client's messages are ignored.
pub(super) async fn run(ws: WebSocket) -> HandlerResult {
    let ws = ws.send_only();
    loop {
        ws.send(now(Timestamp::now())).await?;
        let pause = Duration::from_millis(rand::random_range(PAUSE));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = ws.closed() => return Ok(()),
        }
    }
}

/// Formats the time as RFC 3339, in UTC, with milliseconds.
fn now(timestamp: Timestamp) -> String {
    format!("{timestamp:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_rfc_3339() {
        let timestamp: Timestamp = "2026-11-05T09:03:07.5Z".parse().unwrap();
        assert_eq!(now(timestamp), "2026-11-05T09:03:07.500Z");
    }
}
