//! The interactive session: a prompt on the last row, and messages above it.

use std::io;
use std::sync::Arc;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use ws_tokio::{CloseCode, Sender, WebSocket};

use super::editor::{Editor, Effect};
use super::hints::Traffic;
use super::outgoing::{Encoding, Outgoing};
use super::pings::Pings;
use super::piped::ping;
use super::screen::Screen;
use super::slash::{self, Typed};
use super::{ConnectArgs, Ending, ending};
use crate::signals::Stop;

/// The most messages shown before keys are handled again.
const BURST: usize = 256;

/// Runs until the connection is closed by either side.
pub(super) async fn run(mut ws: WebSocket, stop: &Stop, mut pings: Pings, args: &ConnectArgs) -> io::Result<Ending> {
    let format = args.format();
    let traffic = Arc::new(Traffic::default());
    // Sending waits while the server does not read; the prompt must not. The queue is unbounded: a person fills it.
    let (queue, lines) = mpsc::unbounded_channel();
    tokio::spawn(send_all(ws.sender(), lines, Arc::clone(&traffic)));
    let (notes, mut noted) = mpsc::unbounded_channel();
    // Dropping the queue ends the session: what is in it is sent, then the connection is closed.
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
                    screen.message(&format.frame(&ping));
                }
                let Ok(Some(arrived)) = message else {
                    // The outcome says more than this result.
                    drop(screen);
                    return Ok(ending(&ws, Ok(()), &traffic).await);
                };
                traffic.received();
                screen.message(&format.message(&arrived));
                match ws.recv().now_or_never() {
                    Some(next) if shown < BURST => message = next,
                    _ => break,
                }
            },
            event = next_event(&mut keyboard) => match (event, &queue) {
                (Some(event), Some(lines)) => match act(&mut editor, event) {
                    Effect::Line(line) => {
                        screen.sent(&line);
                        match typed(line, args.encoding) {
                            Ok(Some(Outgoing::Ping)) => drop(tokio::spawn(ping(ws.sender(), format, notes.clone()))),
                            // Fails when the connection has just closed. `recv` reports that next.
                            Ok(Some(outgoing)) => drop(lines.send(outgoing)),
                            Ok(None) => slash::HELP.lines().for_each(|line| screen.message(line)),
                            Err(why) => screen.message(&format.problem(&why)),
                        }
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
            ping = pings.next() => screen.message(&format.frame(&ping)),
            Some(note) = noted.recv() => screen.message(&note),
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

/// What a typed line asks for; nothing for help. The error says why it cannot be done.
fn typed(line: String, encoding: Encoding) -> Result<Option<Outgoing>, String> {
    match Typed::parse(line) {
        Typed::Line(line) => encoding.read(line.into_bytes()).map(Some).map_err(|why| format!("not sent: it {why}")),
        Typed::Outgoing(outgoing) => Ok(Some(outgoing)),
        Typed::File(path) => slash::read(&path).map(|message| Some(Outgoing::Message(message))),
        Typed::Help => Ok(None),
        Typed::Bad(why) => Err(why),
    }
}

/// Sends everything, then closes the connection.
async fn send_all(sender: Sender, mut queue: mpsc::UnboundedReceiver<Outgoing>, traffic: Arc<Traffic>) {
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Message(message) => {
                if sender.send(message).await.is_err() {
                    return;
                }
                traffic.sent();
            }
            Outgoing::Close(code, reason) => {
                let _ = sender.close(code, reason).await;
                return;
            }
            // Not queued: a ping need not wait for what is sent.
            Outgoing::Ping => {}
        }
    }
    // The session reports the outcome.
    let _ = sender.close(CloseCode::NORMAL, "").await;
}
