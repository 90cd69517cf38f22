//! `/chat`: what one says, everyone reads.

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
            // Stamped and queued under one lock: everyone reads the same lines in the same order.
            self.audience(|audience| audience.broadcast(line(&Zoned::now(), text)));
        }
        Ok(())
    }

    fn audience<R>(&self, act: impl FnOnce(&mut Audience) -> R) -> R {
        // Whatever panicked, the list of members is still one.
        act(&mut self.audience.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Someone in the room; dropped, even by a panic, they leave.
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
