//! Whether the broker can be reached.

use std::time::Duration;

use tokio::sync::watch;
use ws_hub::{GapCause, Hub};

/// The interval at which the hub is asked.
const INTERVAL: Duration = Duration::from_millis(250);

/// Logs when the broker is lost and when it is back. Returns the reason why it cannot be reached, as it changes.
pub(super) fn follow(hub: Hub) -> watch::Receiver<Option<GapCause>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        // A process has no broker, and no outage.
        if !hub.promises().many_instances {
            sender.closed().await;
        }
        while !sender.is_closed() {
            let now = hub.outage();
            let has_changed = sender.send_if_modified(|before| std::mem::replace(before, now) != now);
            match now {
                Some(cause) if has_changed => tracing::warn!("only clients of this instance hear each other: {cause}"),
                None if has_changed => tracing::info!("the broker is reached again"),
                _ => {}
            }
            tokio::time::sleep(INTERVAL).await;
        }
    });
    receiver
}
