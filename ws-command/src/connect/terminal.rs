//! The interactive session: a prompt on the last row, and messages above it.

use std::io;
use std::sync::Arc;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use ws_tokio::{CloseCode, Sender, WebSocket};

use super::editor::{Editor, Effect};
use super::hints::Traffic;
use super::pings::Pings;
use super::screen::Screen;
use super::{Ending, ending, format};
use crate::signals::Stop;

/// The most messages shown before keys are handled again.
const BURST: usize = 256;

/// Runs until the connection is closed by either side.
pub(super) async fn run(mut ws: WebSocket, stop: &Stop, mut pings: Pings) -> io::Result<Ending> {
    let traffic = Arc::new(Traffic::default());
    // Sending waits while the server does not read; the prompt must not. The queue is unbounded: a person fills it.
    let (queue, lines) = mpsc::unbounded_channel();
    tokio::spawn(send_lines(ws.sender(), lines, Arc::clone(&traffic)));
    // Dropping the queue ends the session: the lines in it are sent, then the connection is closed.
    let mut queue = Some(queue);
    let mut keyboard = Some(EventStream::new());
    let mut editor = Editor::default();
    let mut screen = Screen::open()?;
    screen.prompt(&editor);
    loop {
        screen.flush()?;
        tokio::select! {
            mut message = ws.recv() => for shown in 1.. {
                while let Some(ping) = pings.take() {
                    screen.message(&ping);
                }
                let Ok(Some(arrived)) = message else {
                    // The outcome says more than this result.
                    drop(screen);
                    return Ok(ending(&ws, Ok(()), &traffic).await);
                };
                traffic.received();
                screen.message(&format::message(&arrived));
                match ws.recv().now_or_never() {
                    Some(next) if shown < BURST => message = next,
                    _ => break,
                }
            },
            event = next_event(&mut keyboard) => match (event, &queue) {
                (Some(event), Some(lines)) => match act(&mut editor, event) {
                    Effect::Line(line) => {
                        screen.sent(&line);
                        // Fails when the connection has just closed. `recv` reports that next.
                        let _ = lines.send(line);
                    }
                    Effect::ClearScreen => screen.clear(),
                    Effect::Quit => queue = None,
                    Effect::Redraw => {}
                    Effect::Nothing => continue,
                },
                (Some(event), None) if is_ctrl_c(&event) => return Ok(Ending::Interrupted),
                (Some(_), None) => continue,
                (None, _) => (keyboard, queue) = (None, None),
            },
            ping = pings.next() => screen.message(&ping),
            () = stop.requested() => queue = None,
        }
        match queue {
            Some(_) => screen.prompt(&editor),
            None => screen.erase_prompt(),
        }
    }
}

/// The next event of the terminal. `None` when the terminal is gone; without a keyboard it never resolves.
async fn next_event(keyboard: &mut Option<EventStream>) -> Option<Event> {
    match keyboard {
        Some(events) => events.next().await?.ok(),
        None => std::future::pending().await,
    }
}

fn act(editor: &mut Editor, event: Event) -> Effect {
    match event {
        Event::Key(key) => editor.key(key),
        Event::Paste(text) => editor.paste(&text),
        Event::Resize(..) => Effect::Redraw,
        _ => Effect::Nothing,
    }
}

fn is_ctrl_c(event: &Event) -> bool {
    matches!(
        event,
        Event::Key(KeyEvent { code: KeyCode::Char('c'), modifiers: KeyModifiers::CONTROL, kind, .. })
            if *kind != KeyEventKind::Release
    )
}

/// Sends every line, then closes the connection.
async fn send_lines(sender: Sender, mut lines: mpsc::UnboundedReceiver<String>, traffic: Arc<Traffic>) {
    while let Some(line) = lines.recv().await {
        if sender.send(line).await.is_err() {
            return;
        }
        traffic.sent();
    }
    // The session reports the outcome.
    let _ = sender.close(CloseCode::NORMAL, "").await;
}
