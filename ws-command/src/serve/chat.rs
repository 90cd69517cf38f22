//! `/chat`: every text goes to every member.

use std::sync::{Mutex, PoisonError};

use jiff::Zoned;
use ws_tokio::{CloseCode, HandlerResult, Message, WebSocket};

use super::audience::Audience;

#[derive(Default)]
pub(super) struct Chat {
    audience: Mutex<Audience>,
}

impl Chat {
    /// Runs one connection, until it closes.
    pub(super) async fn join(&self, mut ws: WebSocket) -> HandlerResult {
        self.audience(|audience| audience.add(&ws));
        let _membership = Membership { chat: self, id: ws.id() };
        self.listen(&mut ws).await
    }

    async fn listen(&self, ws: &mut WebSocket) -> HandlerResult {
        while let Some(message) = ws.recv().await? {
            let Some(text) = message.as_text() else {
                ws.close(CloseCode::UNSUPPORTED_DATA, "the chat is text only").await?;
                break;
            };
            // The time is taken and the line queued under one lock, so all members get the same lines in the same order.
            self.audience(|audience| audience.broadcast(line(&Zoned::now(), text)));
        }
        Ok(())
    }

    fn audience<R>(&self, act: impl FnOnce(&mut Audience) -> R) -> R {
        // The list of members is valid even after a panic.
        act(&mut self.audience.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A member's place in the room. Dropping it leaves the room, also when a panic drops it.
struct Membership<'a> {
    chat: &'a Chat,
    id: u64,
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.chat.audience(|audience| audience.remove(self.id));
    }
}

/// `[HH:MM:SS] text`, in the server's own time zone.
fn line(now: &Zoned, text: &str) -> Message {
    Message::from(format!("[{}] {text}", now.strftime("%H:%M:%S")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_stamped_with_the_local_time() {
        let now = jiff::civil::date(2026, 11, 5).at(9, 3, 7, 0).to_zoned(jiff::tz::offset(-5).to_time_zone()).unwrap();
        assert_eq!(line(&now, "hi <b>").as_text(), Some("[09:03:07] hi <b>"));
    }
}
