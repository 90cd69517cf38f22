//! The history of lines sent, and the user's position in it.

use std::collections::VecDeque;

/// The most lines kept. The oldest is dropped first.
const MAX_LINES: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct History {
    /// The lines sent, oldest first.
    lines: VecDeque<String>,
    /// The number of lines that the line shown is back: 0 is the one being typed.
    back: usize,
    /// The line being typed, kept while older ones are shown.
    draft: String,
}

impl History {
    /// Adds a line that was sent. An empty line, or the same line as the last one, is not added.
    pub(super) fn add(&mut self, line: &str) {
        self.back = 0;
        self.draft.clear();
        if line.is_empty() || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// Goes one line back, if there is one. `current` is the line being typed.
    pub(super) fn older(&mut self, current: &str) -> Option<String> {
        let index = self.lines.len().checked_sub(self.back + 1)?;
        if self.back == 0 {
            self.draft = current.to_owned();
        }
        self.back += 1;
        self.lines.get(index).cloned()
    }

    /// Goes one line forward; after the newest, to the line that was being typed.
    pub(super) fn newer(&mut self) -> Option<String> {
        self.back = self.back.checked_sub(1)?;
        match self.back {
            0 => Some(std::mem::take(&mut self.draft)),
            back => self.lines.get(self.lines.len() - back).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forth_keeps_the_draft() {
        let mut history = History::default();
        for line in ["one", "two", "two", "", "three"] {
            history.add(line);
        }
        assert_eq!(history.older("dra").as_deref(), Some("three"));
        assert_eq!(history.older("three").as_deref(), Some("two"));
        assert_eq!(history.older("two").as_deref(), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("three"));
        assert_eq!(history.newer().as_deref(), Some("dra"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn only_so_many_lines_are_kept() {
        let mut history = History::default();
        for number in 0..MAX_LINES + 5 {
            history.add(&number.to_string());
        }
        assert_eq!(history.lines.len(), MAX_LINES);
        assert_eq!(history.lines.front().map(String::as_str), Some("5"));
    }
}
