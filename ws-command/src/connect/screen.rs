//! Draws the terminal: a prompt on the last row, everything else above it.

use std::io::{self, Write as _};

use crossterm::Command;
use crossterm::cursor::{MoveTo, MoveToColumn};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Stylize as _;
use crossterm::terminal::{self, Clear, ClearType};

use ws_tokio::Escaped;

use super::editor::Editor;

const PROMPT: &str = "> ";
/// The width assumed when the terminal does not report its size, in columns.
const USUAL_COLUMNS: u16 = 80;
/// The least width used, in columns: the prompt, one wide character, the cursor, and a mark on each side.
const NARROWEST: u16 = 8;

/// Owns the terminal while the prompt is shown. Dropping it restores the terminal.
pub(super) struct Screen {
    /// Output for the next `flush`, which writes it at once so that nothing flickers.
    pending: String,
    colour: bool,
}

impl Screen {
    /// Switches the terminal to raw mode: keys arrive one by one, and nothing is echoed.
    pub(super) fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let mut screen = Self { pending: String::new(), colour: colour_wanted() };
        screen.command(EnableBracketedPaste);
        Ok(screen)
    }

    /// Shows a line above the prompt.
    pub(super) fn message(&mut self, line: &str) {
        let (mark, rest) = line.split_at(line.len().min(1));
        self.erase_prompt();
        if self.colour {
            self.pending.push_str(&format!("{}{rest}\r\n", mark.cyan()));
        } else {
            self.pending.push_str(&format!("{mark}{rest}\r\n"));
        }
    }

    /// Replaces the prompt with the whole line that was sent, and moves below it.
    pub(super) fn sent(&mut self, line: &str) {
        self.erase_prompt();
        self.pending.push_str(&format!("{PROMPT}{}\r\n", Escaped(line)));
    }

    /// Draws the prompt and as much of the line being typed as fits.
    pub(super) fn prompt(&mut self, editor: &Editor) {
        let columns = match terminal::size() {
            Ok((columns @ 1.., _)) => columns.max(NARROWEST),
            _ => USUAL_COLUMNS,
        };
        // The last column stays free, because terminals place a cursor behind it differently. One column on each side
        // is for the mark that shows hidden text.
        let room = usize::from(columns) - PROMPT.len() - 1;
        let mut view = editor.view(room);
        if view.more != (false, false) {
            view = editor.view(room.saturating_sub(2));
        }
        let (left, right) = (if view.more.0 { "…" } else { "" }, if view.more.1 { "…" } else { "" });
        self.erase_prompt();
        self.pending.push_str(&format!("{PROMPT}{left}{}{right}", view.text));
        let column = PROMPT.len() + left.chars().count() + view.column;
        self.command(MoveToColumn(u16::try_from(column).unwrap_or(columns - 1)));
    }

    pub(super) fn clear(&mut self) {
        self.command(Clear(ClearType::All));
        self.command(MoveTo(0, 0));
    }

    /// Removes the prompt; the cursor stays at the start of its row.
    pub(super) fn erase_prompt(&mut self) {
        self.pending.push('\r');
        self.command(Clear(ClearType::CurrentLine));
    }

    /// Writes the drawn output to the terminal.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut terminal = io::stdout().lock();
        terminal.write_all(self.pending.as_bytes())?;
        self.pending.clear();
        terminal.flush()
    }

    fn command(&mut self, command: impl Command) {
        // Writing to a String cannot fail.
        let _ = command.write_ansi(&mut self.pending);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.erase_prompt();
        self.command(DisableBracketedPaste);
        let _ = self.flush();
        let _ = terminal::disable_raw_mode();
    }
}

/// See <https://no-color.org>.
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
