//! A line of text that is being typed.

use ratatui::crossterm::event::KeyCode;

use crate::tui::keymap::Key;
use crate::tui::text::{clean, columns_of, is_hostile};

/// A line with a cursor. Holds cleaned text only, and not without end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Editor {
    text: String,
    /// Byte offset, on a character boundary.
    cursor: usize,
    /// Longest text in bytes; more is not taken.
    most: usize,
}

impl Editor {
    /// An empty line of at most `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            text: String::new(),
            cursor: 0,
            most,
        }
    }

    /// A line that holds `text` already, with the cursor behind it.
    pub(crate) fn with(text: &str, most: usize) -> Self {
        let mut editor = Self::new(most);
        editor.paste(text);
        editor
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Byte offset of the cursor.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Inserts text, cleaned and on one line. False when not all of it found room.
    pub(crate) fn paste(&mut self, text: &str) -> bool {
        let room = self.most.saturating_sub(self.text.len());
        // Cleaning a megabyte to keep a line of it would only take time.
        let bound = text.len().min(4 * self.most + 64);
        let head = (0..=bound).rev().find(|&at| text.is_char_boundary(at));
        let cleaned = clean(&text[..head.unwrap_or(0)]);
        let mut end = cleaned.len().min(room);
        while !cleaned.is_char_boundary(end) {
            end -= 1;
        }
        self.text.insert_str(self.cursor, &cleaned[..end]);
        self.cursor += end;
        end == cleaned.len() && bound == text.len()
    }

    /// Empties the line and gives what it held.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Takes a key; false when it is not one for a line of text.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        if let Some(c) = key.typed() {
            if !is_hostile(c) && columns_of(c) > 0 && self.text.len() + c.len_utf8() <= self.most {
                self.text.insert(self.cursor, c);
                self.cursor += c.len_utf8();
            }
            return true;
        }
        match (key.code(), key.control()) {
            (KeyCode::Backspace, false) => {
                if let Some(at) = self.before() {
                    self.text.remove(at);
                    self.cursor = at;
                }
            }
            (KeyCode::Delete, false) => {
                if self.cursor < self.text.len() {
                    self.text.remove(self.cursor);
                }
            }
            (KeyCode::Left, false) => self.cursor = self.before().unwrap_or(0),
            (KeyCode::Right, false) => {
                let next = self.text[self.cursor..].chars().next();
                self.cursor += next.map_or(0, char::len_utf8);
            }
            (KeyCode::Home, false) | (KeyCode::Char('a'), true) => self.cursor = 0,
            (KeyCode::End, false) | (KeyCode::Char('e'), true) => self.cursor = self.text.len(),
            (KeyCode::Char('u'), true) => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            (KeyCode::Char('k'), true) => self.text.truncate(self.cursor),
            (KeyCode::Char('w'), true) => {
                let head = self.text[..self.cursor].trim_end();
                let from = head.rfind(' ').map_or(0, |at| at + 1);
                self.text.drain(from..self.cursor);
                self.cursor = from;
            }
            _ => return false,
        }
        true
    }

    fn before(&self) -> Option<usize> {
        self.text[..self.cursor]
            .char_indices()
            .next_back()
            .map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    #[test]
    fn typing_and_taking_back() {
        let mut editor = Editor::new(100);
        for c in ["h", "é", "y", "space", "y", "o", "u"] {
            assert!(editor.key(key(c)));
        }
        editor.key(key("ctrl-w"));
        assert_eq!(editor.text(), "héy ");
        editor.key(key("home"));
        editor.key(key("right"));
        editor.key(key("right"));
        editor.key(key("backspace"));
        assert_eq!(editor.text(), "hy ");
        editor.key(key("ctrl-k"));
        assert_eq!(editor.text(), "h");
    }

    #[test]
    fn a_megabyte_is_cut_and_said_to_be() {
        let mut editor = Editor::new(1000);
        assert!(!editor.paste(&"x\n".repeat(500_000)));
        assert!(editor.text().len() <= 1000);
        assert!(editor.paste("") && !editor.paste("more"));
    }

    proptest! {
        #[test]
        fn the_cursor_stays_on_a_character(keys in prop::collection::vec(0usize..12, 0..60), pasted in any::<String>()) {
            let names = ["x", "日", "space", "left", "right", "home", "end", "backspace", "delete", "ctrl-w", "ctrl-u", "ctrl-k"];
            let mut editor = Editor::new(40);
            editor.paste(&pasted);
            for k in keys {
                editor.key(key(names[k]));
                prop_assert!(editor.text.is_char_boundary(editor.cursor));
                prop_assert!(editor.text.len() <= 40);
            }
        }
    }
}
