//! A line editor: editing, history, and the part of the line that fits the terminal. No I/O.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;
use ws_tokio::Escaped;

use super::history::History;

/// A line editor with the keys of a shell.
#[derive(Debug, Default)]
pub(super) struct Editor {
    text: String,
    /// A byte index into `text`, always between two graphemes.
    cursor: usize,
    /// The text of the last cut, for Ctrl-Y.
    cut: String,
    history: History,
}

/// An action that a key asks of the program around the editor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// None: the key has no meaning here.
    Nothing,
    /// The line or the cursor changed.
    Redraw,
    /// Clear the screen.
    ClearScreen,
    /// The line is complete; the editor is empty again.
    Line(String),
    /// Ctrl-C, or Ctrl-D on an empty line.
    Quit,
}

/// The visible part of the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) text: String,
    /// The cursor's column, counted from the start of `text`.
    pub(super) column: usize,
    /// Whether there is more of the line to the left or to the right.
    pub(super) more: (bool, bool),
}

impl Editor {
    /// Acts on one key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Effect {
        // Some terminals report releases too.
        if key.kind == KeyEventKind::Release {
            return Effect::Nothing;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter => self.finish_line(),
            KeyCode::Char(c) if control && !alt => self.control_key(c.to_ascii_lowercase()),
            KeyCode::Char(c) if alt && !control => self.alt_key(c.to_ascii_lowercase()),
            // Some keyboards report their third level (`@`, `{`, `\`) as Control with Alt.
            KeyCode::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Left if control || alt => self.move_to(self.word_start()),
            KeyCode::Left => self.move_to(self.previous()),
            KeyCode::Right if control || alt => self.move_to(self.word_end()),
            KeyCode::Right => self.move_to(self.next()),
            KeyCode::Home => self.move_to(0),
            KeyCode::End => self.move_to(self.text.len()),
            KeyCode::Backspace if control || alt => self.cut(self.word_start(), self.cursor),
            KeyCode::Backspace => self.delete(self.previous(), self.cursor),
            KeyCode::Delete => self.delete(self.cursor, self.next()),
            KeyCode::Tab => self.insert("\t"),
            KeyCode::Up => self.older(),
            KeyCode::Down => self.newer(),
            _ => Effect::Nothing,
        }
    }

    /// Inserts pasted text, with the line ends in it. A paste sends nothing by itself.
    pub(super) fn paste(&mut self, text: &str) -> Effect {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        self.insert(text.trim_end_matches('\n'))
    }

    fn control_key(&mut self, c: char) -> Effect {
        match c {
            'a' => self.move_to(0),
            'b' => self.move_to(self.previous()),
            'c' => Effect::Quit,
            'd' if self.text.is_empty() => Effect::Quit,
            'd' => self.delete(self.cursor, self.next()),
            'e' => self.move_to(self.text.len()),
            'f' => self.move_to(self.next()),
            'h' => self.delete(self.previous(), self.cursor),
            'j' | 'm' => self.finish_line(),
            'k' => self.cut(self.cursor, self.text.len()),
            'l' => Effect::ClearScreen,
            'n' => self.newer(),
            'p' => self.older(),
            'u' => self.cut(0, self.cursor),
            'w' => self.cut(self.blank_delimited_start(), self.cursor),
            'y' => self.insert(&self.cut.clone()),
            _ => Effect::Nothing,
        }
    }

    fn alt_key(&mut self, c: char) -> Effect {
        match c {
            'b' => self.move_to(self.word_start()),
            'd' => self.cut(self.cursor, self.word_end()),
            'f' => self.move_to(self.word_end()),
            _ => Effect::Nothing,
        }
    }

    fn insert(&mut self, typed: &str) -> Effect {
        self.text.insert_str(self.cursor, typed);
        self.cursor += typed.len();
        Effect::Redraw
    }

    fn move_to(&mut self, index: usize) -> Effect {
        self.cursor = index;
        Effect::Redraw
    }

    fn delete(&mut self, from: usize, to: usize) -> Effect {
        self.text.replace_range(from..to, "");
        self.cursor = from;
        Effect::Redraw
    }

    fn cut(&mut self, from: usize, to: usize) -> Effect {
        if from < to {
            self.cut = self.text[from..to].to_owned();
        }
        self.delete(from, to)
    }

    fn finish_line(&mut self) -> Effect {
        let line = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.history.add(&line);
        Effect::Line(line)
    }

    fn older(&mut self) -> Effect {
        match self.history.older(&self.text) {
            Some(line) => self.replace(line),
            None => Effect::Nothing,
        }
    }

    fn newer(&mut self) -> Effect {
        match self.history.newer() {
            Some(line) => self.replace(line),
            None => Effect::Nothing,
        }
    }

    fn replace(&mut self, line: String) -> Effect {
        self.cursor = line.len();
        self.text = line;
        Effect::Redraw
    }

    /// The start of the grapheme left of the cursor.
    fn previous(&self) -> usize {
        let mut before = self.text[..self.cursor].grapheme_indices(true);
        before.next_back().map_or(0, |(index, _)| index)
    }

    /// The end of the grapheme under the cursor.
    fn next(&self) -> usize {
        let under = self.text[self.cursor..].graphemes(true).next();
        self.cursor + under.map_or(0, str::len)
    }

    /// The start of the word left of the cursor.
    fn word_start(&self) -> usize {
        let mut words = self.text[..self.cursor].unicode_word_indices();
        words.next_back().map_or(0, |(index, _)| index)
    }

    /// The end of the word at or right of the cursor.
    fn word_end(&self) -> usize {
        let word = self.text[self.cursor..].unicode_word_indices().next();
        word.map_or(self.text.len(), |(index, word)| self.cursor + index + word.len())
    }

    /// The start of the run of non-blanks left of the cursor, which Ctrl-W cuts.
    fn blank_delimited_start(&self) -> usize {
        let run = self.text[..self.cursor].trim_end();
        run.char_indices().rev().take_while(|(_, c)| !c.is_whitespace()).last().map_or(run.len(), |(index, _)| index)
    }

    /// The part around the cursor that fits `columns`, the cursor's own column included.
    pub(super) fn view(&self, columns: usize) -> View {
        let columns = columns.max(2);
        let (before, after) = self.text.split_at(self.cursor);
        // The cursor needs a column of its own, so the text left of it has one column less.
        let left: Vec<_> = fitting(before.graphemes(true).rev(), columns - 1);
        let column = left.iter().map(|cell| cell.width()).sum();
        let right: Vec<_> = fitting(after.graphemes(true), columns - column);
        View {
            column,
            more: (left.len() < before.graphemes(true).count(), right.len() < after.graphemes(true).count()),
            text: left.into_iter().rev().chain(right).collect(),
        }
    }
}

/// The first graphemes that fit, with control characters escaped.
fn fitting<'a>(graphemes: impl Iterator<Item = &'a str>, columns: usize) -> Vec<String> {
    let mut used = 0;
    graphemes
        .map(|grapheme| Escaped(grapheme).to_string())
        .take_while(|cell| {
            used += cell.width();
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, code: KeyCode, modifiers: KeyModifiers) -> Effect {
        editor.key(KeyEvent::new(code, modifiers))
    }

    fn plain(editor: &mut Editor, code: KeyCode) -> Effect {
        press(editor, code, KeyModifiers::NONE)
    }

    fn control(editor: &mut Editor, c: char) -> Effect {
        press(editor, KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::default();
        for c in text.chars() {
            assert_eq!(plain(&mut editor, KeyCode::Char(c)), Effect::Redraw);
        }
        editor
    }

    /// The line with `|` at the cursor.
    fn shown(editor: &Editor) -> String {
        let (before, after) = editor.text.split_at(editor.cursor);
        format!("{before}|{after}")
    }

    #[test]
    fn typing_and_moving() {
        let mut editor = typed("helo");
        plain(&mut editor, KeyCode::Left);
        plain(&mut editor, KeyCode::Char('l'));
        assert_eq!(shown(&editor), "hell|o");
        plain(&mut editor, KeyCode::Home);
        plain(&mut editor, KeyCode::Left);
        assert_eq!(shown(&editor), "|hello");
        control(&mut editor, 'e');
        plain(&mut editor, KeyCode::Right);
        assert_eq!(shown(&editor), "hello|");
    }

    #[test]
    fn a_grapheme_is_one_step_and_one_deletion() {
        let mut editor = typed("ae\u{301}👩‍🚀");
        plain(&mut editor, KeyCode::Left);
        assert_eq!(shown(&editor), "ae\u{301}|👩‍🚀");
        plain(&mut editor, KeyCode::Backspace);
        assert_eq!(shown(&editor), "a|👩‍🚀");
        plain(&mut editor, KeyCode::Delete);
        assert_eq!(shown(&editor), "a|");
        plain(&mut editor, KeyCode::Delete);
        assert_eq!(shown(&editor), "a|");
    }

    #[test]
    fn words() {
        let mut editor = typed("one two-three, four");
        press(&mut editor, KeyCode::Left, KeyModifiers::CONTROL);
        assert_eq!(shown(&editor), "one two-three, |four");
        press(&mut editor, KeyCode::Char('b'), KeyModifiers::ALT);
        assert_eq!(shown(&editor), "one two-|three, four");
        press(&mut editor, KeyCode::Char('f'), KeyModifiers::ALT);
        assert_eq!(shown(&editor), "one two-three|, four");
        control(&mut editor, 'w');
        assert_eq!(shown(&editor), "one |, four");
        control(&mut editor, 'y');
        assert_eq!(shown(&editor), "one two-three|, four");
        press(&mut editor, KeyCode::Backspace, KeyModifiers::ALT);
        assert_eq!(shown(&editor), "one two-|, four");
        press(&mut editor, KeyCode::Char('d'), KeyModifiers::ALT);
        assert_eq!(shown(&editor), "one two-|");
    }

    #[test]
    fn ctrl_w_takes_the_blanks_after_the_word_too() {
        let mut editor = typed("one  två  ");
        control(&mut editor, 'w');
        assert_eq!(shown(&editor), "one  |");
        control(&mut editor, 'w');
        control(&mut editor, 'w');
        assert_eq!(shown(&editor), "|");
    }

    #[test]
    fn cutting_to_either_end() {
        let mut editor = typed("left right");
        press(&mut editor, KeyCode::Left, KeyModifiers::ALT);
        control(&mut editor, 'k');
        assert_eq!(shown(&editor), "left |");
        control(&mut editor, 'u');
        assert_eq!(shown(&editor), "|");
        control(&mut editor, 'y');
        assert_eq!(shown(&editor), "left |");
    }

    #[test]
    fn enter_gives_the_line_and_history_gives_it_back() {
        let mut editor = typed("first");
        assert_eq!(plain(&mut editor, KeyCode::Enter), Effect::Line("first".into()));
        assert_eq!(plain(&mut editor, KeyCode::Enter), Effect::Line(String::new()));
        editor.text = "draft".into();
        editor.cursor = 2;
        plain(&mut editor, KeyCode::Up);
        assert_eq!(shown(&editor), "first|");
        assert_eq!(plain(&mut editor, KeyCode::Up), Effect::Nothing);
        plain(&mut editor, KeyCode::Down);
        assert_eq!(shown(&editor), "draft|");
    }

    #[test]
    fn leaving() {
        assert_eq!(control(&mut typed("half"), 'c'), Effect::Quit);
        assert_eq!(control(&mut typed(""), 'd'), Effect::Quit);
        let mut editor = typed("ab");
        plain(&mut editor, KeyCode::Left);
        assert_eq!(control(&mut editor, 'd'), Effect::Redraw);
        assert_eq!(shown(&editor), "a|");
    }

    #[test]
    fn unknown_keys_type_nothing() {
        let mut editor = typed("a");
        for key in [KeyCode::F(5), KeyCode::Esc, KeyCode::Insert, KeyCode::PageUp] {
            assert_eq!(plain(&mut editor, key), Effect::Nothing);
        }
        assert_eq!(control(&mut editor, 'z'), Effect::Nothing);
        assert_eq!(shown(&editor), "a|");
    }

    #[test]
    fn a_paste_stays_one_line_and_shows_what_it_holds() {
        let mut editor = typed("ab");
        plain(&mut editor, KeyCode::Left);
        editor.paste("{\r\n\t1\r}\n");
        assert_eq!(editor.view(80), View { text: r"a{\n\t1\n}b".into(), column: 10, more: (false, false) });
        assert_eq!(plain(&mut editor, KeyCode::Enter), Effect::Line("a{\n\t1\n}b".into()));
    }

    #[test]
    fn a_short_line_is_seen_whole() {
        let editor = typed("hello");
        assert_eq!(editor.view(80), View { text: "hello".into(), column: 5, more: (false, false) });
    }

    #[test]
    fn a_long_line_scrolls_under_the_cursor() {
        let mut editor = typed("0123456789");
        // The cursor behind the last character needs a column too.
        assert_eq!(editor.view(5), View { text: "6789".into(), column: 4, more: (true, false) });
        plain(&mut editor, KeyCode::Home);
        assert_eq!(editor.view(5), View { text: "01234".into(), column: 0, more: (false, true) });
        for _ in 0..7 {
            plain(&mut editor, KeyCode::Right);
        }
        assert_eq!(editor.view(5), View { text: "34567".into(), column: 4, more: (true, true) });
    }

    #[test]
    fn wide_characters_count_twice() {
        let editor = typed("日本語");
        assert_eq!(editor.view(80).column, 6);
        assert_eq!(editor.view(6), View { text: "本語".into(), column: 4, more: (true, false) });
    }

    #[test]
    fn the_view_never_outgrows_its_columns() {
        let mut editor = typed("a日b本c👩‍🚀語d");
        plain(&mut editor, KeyCode::Home);
        for _ in 0..9 {
            for columns in 2..12 {
                let view = editor.view(columns);
                assert!(view.text.width() <= columns && view.column < columns, "{view:?} in {columns}");
            }
            plain(&mut editor, KeyCode::Right);
        }
    }
}
