//! Which key does what, and the words for it.
//!
//! One table lists every action with its name in the settings, its keys, where it holds and what
//! it does; the help overlay, the command palette, the footer and `indago.toml` all read it.

use std::collections::BTreeMap;
use std::fmt;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where an action holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// Where a question is asked and runs are listed.
    Start,
    /// Where a run is watched.
    Run,
    /// Where a report is read.
    Report,
    /// Where corpora are looked into.
    Library,
}

impl Scope {
    /// For headings.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Start => "start",
            Self::Run => "run",
            Self::Report => "report",
            Self::Library => "library",
        }
    }
}

macro_rules! actions {
    ($($variant:ident $name:literal $scope:ident [$($key:literal),*] $doc:literal;)+) => {
        /// What a key can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $doc] $variant,)+
        }

        /// Every action: itself, its name, where it holds, its keys, what it does.
        pub(crate) const ACTIONS: &[Entry] = &[
            $(Entry {
                action: Action::$variant,
                name: $name,
                scope: Scope::$scope,
                keys: &[$($key),*],
                doc: $doc,
            },)+
        ];
    };
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The action.
    pub action: Action,
    /// Its name in `indago.toml` under `tui.keys`.
    pub name: &'static str,
    /// Where it holds.
    pub scope: Scope,
    /// Its keys unless configured otherwise.
    pub keys: &'static [&'static str],
    /// What it does.
    pub doc: &'static str,
}

actions! {
    Quit "quit" Everywhere ["q", "ctrl-c"] "leave; a run that is under way goes on";
    Help "help" Everywhere ["?", "f1"] "show all keys";
    Palette "palette" Everywhere [":", "ctrl-p"] "find a command by its name";
    Back "back" Everywhere ["esc"] "close, or go back";
    Next "next-pane" Everywhere ["tab"] "next pane";
    Previous "previous-pane" Everywhere ["backtab"] "previous pane";
    Up "up" Everywhere ["up", "k"] "up";
    Down "down" Everywhere ["down", "j"] "down";
    Left "left" Everywhere ["left", "h"] "left";
    Right "right" Everywhere ["right", "l"] "right";
    PageUp "page-up" Everywhere ["pageup", "ctrl-b"] "a page up";
    PageDown "page-down" Everywhere ["pagedown", "ctrl-f"] "a page down";
    First "first" Everywhere ["home"] "to the beginning";
    Last "last" Everywhere ["end", "G"] "to the end; a list that grows is followed from there";
    Open "open" Everywhere ["enter"] "open what is selected";
    ShowStart "show-start" Everywhere ["1", "f2"] "start screen";
    ShowRun "show-run" Everywhere ["2", "f3"] "run screen";
    ShowReport "show-report" Everywhere ["3", "f4"] "report screen";
    ShowLibrary "show-library" Everywhere ["4", "f5"] "library screen";
    Mouse "mouse" Everywhere ["M"] "mouse on or off; off, the terminal selects text";
    Theme "theme" Everywhere ["T"] "next theme: dark, light, mono";
    Zoom "zoom" Everywhere ["z"] "give the pane all the room, or take it back";
    Redraw "redraw" Everywhere ["ctrl-l"] "draw everything again";
    PullModel "pull-model" Everywhere ["D"] "download a model: an encoder or a reranker";
    CancelJob "cancel-job" Everywhere ["ctrl-x"] "stop indexing or a download; what is done is kept";

    Ask "ask" Start ["ctrl-j"] "ask the question";
    AskPaused "ask-paused" Start ["alt-enter", "ctrl-o"] "ask, but wait for the plan to be approved";
    NextCorpus "next-corpus" Start ["ctrl-n"] "ask the next corpus";
    NextWorkflow "next-workflow" Start ["ctrl-g"] "work on it in the next way: without a model, or by one";
    Resume "resume" Start ["r"] "go on with the selected run";
    AskAgain "ask-again" Start ["a"] "put the selected run's question into the field";
    Index "index" Start ["i"] "index files or folders";
    Reload "reload" Start ["ctrl-r"] "look again for runs and corpora";

    Pause "pause" Run ["p", "space"] "pause, or go on";
    Approve "approve" Run ["y"] "approve the plan and let it run";
    Clarify "clarify" Run ["i"] "say how the question is meant, where the run asks";
    AddNode "add" Run ["a"] "add a sub-question";
    Reword "reword" Run ["w"] "reword the selected sub-question";
    Prune "prune" Run ["x"] "take the selected sub-question out";
    Rerun "rerun" Run ["r"] "search again for the selected sub-question";
    Budget "budget" Run ["b"] "raise or lower the budget";
    Distrust "distrust" Run ["t"] "mark a source as untrusted";
    FinishNow "finish-now" Run ["f"] "write the report from what there is";
    CancelRun "cancel-run" Run ["C"] "end the run without a report";
    FollowUp "follow-up" Run ["u"] "ask a further question of the same corpus";
    Fork "fork" Run ["F"] "start another run from the selected event";
    Tree "tree" Run ["g"] "drawing or tree";

    NextQuote "next-citation" Report ["]", "n"] "next citation, or match of the search";
    PreviousQuote "previous-citation" Report ["[", "N"] "previous citation, or match";
    Find "find" Report ["/"] "search in the report";
    Export "export" Report ["e"] "export as Markdown, HTML, JSON or CSV";
    Copy "copy" Report ["y"] "copy the citation, or the report, to the clipboard";
    ReportFollowUp "report-follow-up" Report ["u"] "ask a further question of the same corpus";

    Query "query" Library ["/"] "try a query against each retriever";
    IndexMore "update-index" Library ["i"] "index files or folders into the corpus";
}

/// A key as people write it: `q`, `ctrl-p`, `f1`, `space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let mut modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        // Shift is already in the character, and in back-tab.
        if matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        let code = match event.code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                KeyCode::Char(c.to_ascii_lowercase())
            }
            code => code,
        };
        Self { code, modifiers }
    }
}

impl Key {
    /// The character that this key types, if it types one.
    pub(crate) fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    /// Its code, for editing text.
    pub(crate) fn code(self) -> KeyCode {
        self.code
    }

    /// Whether control is held.
    pub(crate) fn control(self) -> bool {
        self.modifiers.contains(KeyModifiers::CONTROL)
    }

    /// Reads `ctrl-p`, `alt-enter`, `f1`, `space`, `?`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((prefix, after)) = rest.split_once('-') {
            if after.is_empty() {
                break;
            }
            match prefix {
                "ctrl" => modifiers |= KeyModifiers::CONTROL,
                "alt" => modifiers |= KeyModifiers::ALT,
                "shift" => modifiers |= KeyModifiers::SHIFT,
                _ => return None,
            }
            rest = after;
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => match rest {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "backtab" => KeyCode::BackTab,
                "space" => KeyCode::Char(' '),
                "backspace" => KeyCode::Backspace,
                "delete" => KeyCode::Delete,
                "insert" => KeyCode::Insert,
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "pageup" => KeyCode::PageUp,
                "pagedown" => KeyCode::PageDown,
                _ => KeyCode::F(rest.strip_prefix('f')?.parse().ok().filter(|n| *n <= 24)?),
            },
        };
        Some(KeyEvent::new(code, modifiers).into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in [
            (KeyModifiers::CONTROL, "ctrl-"),
            (KeyModifiers::ALT, "alt-"),
            (KeyModifiers::SHIFT, "shift-"),
        ] {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Enter => f.write_str("enter"),
            KeyCode::Esc => f.write_str("esc"),
            KeyCode::Tab => f.write_str("tab"),
            KeyCode::BackTab => f.write_str("backtab"),
            KeyCode::PageUp => f.write_str("pageup"),
            KeyCode::PageDown => f.write_str("pagedown"),
            KeyCode::F(n) => write!(f, "f{n}"),
            other => write!(f, "{}", format!("{other:?}").to_lowercase()),
        }
    }
}

/// Keys that are configured cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// No such action.
    #[error("there is no action `{name}`; `indago tui --keys` lists them")]
    UnknownAction {
        /// The name given.
        name: String,
    },
    /// Not a key.
    #[error("`{key}` for `{action}` is not a key: write `q`, `ctrl-p`, `f1`, `space`, `enter`")]
    UnknownKey {
        /// The action.
        action: String,
        /// The text given.
        key: String,
    },
    /// Two actions of one screen on one key.
    #[error("`{key}` means both `{first}` and `{second}` on the {screen} screen")]
    Conflict {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Where.
        screen: &'static str,
    },
}

/// Keys and what they do.
#[derive(Clone, Debug)]
pub struct KeyMap {
    bound: BTreeMap<Action, Vec<Key>>,
}

impl Default for KeyMap {
    fn default() -> Self {
        let bound = ACTIONS
            .iter()
            .map(|entry| {
                let keys = entry.keys.iter().filter_map(|key| Key::parse(key));
                (entry.action, keys.collect())
            })
            .collect();
        Self { bound }
    }
}

impl KeyMap {
    /// The default keys with some replaced: pairs of an action's name and its keys, separated by
    /// spaces. No keys take an action off the keyboard; the palette still has it.
    pub fn with<'a>(
        changes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BadKeys> {
        let mut map = Self::default();
        for (name, keys) in changes {
            let entry = ACTIONS.iter().find(|entry| entry.name == name);
            let Some(entry) = entry else {
                return Err(BadKeys::UnknownAction {
                    name: name.to_owned(),
                });
            };
            let keys: Result<Vec<Key>, BadKeys> = keys
                .split_whitespace()
                .map(|key| {
                    Key::parse(key).ok_or_else(|| BadKeys::UnknownKey {
                        action: name.to_owned(),
                        key: key.to_owned(),
                    })
                })
                .collect();
            map.bound.insert(entry.action, keys?);
        }
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), BadKeys> {
        for screen in [Scope::Start, Scope::Run, Scope::Report, Scope::Library] {
            let mut seen: Vec<(Key, &'static str)> = Vec::new();
            let here = ACTIONS
                .iter()
                .filter(|e| e.scope == screen || e.scope == Scope::Everywhere);
            for entry in here {
                for key in self.keys(entry.action) {
                    if let Some((_, first)) = seen.iter().find(|(k, _)| k == key) {
                        return Err(BadKeys::Conflict {
                            key: key.to_string(),
                            first,
                            second: entry.name,
                            screen: screen.title(),
                        });
                    }
                    seen.push((*key, entry.name));
                }
            }
        }
        Ok(())
    }

    /// What a key does on a screen.
    pub fn action(&self, scope: Scope, key: Key) -> Option<Action> {
        let of = |wanted: Scope| {
            ACTIONS
                .iter()
                .find(|e| e.scope == wanted && self.keys(e.action).contains(&key))
                .map(|e| e.action)
        };
        of(scope).or_else(|| of(Scope::Everywhere))
    }

    /// The keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.bound.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The first key of an action, as it is written; `-` when it has none.
    pub(crate) fn hint(&self, action: Action) -> String {
        self.keys(action)
            .first()
            .map_or_else(|| "-".to_owned(), Key::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_keys_are_keys_and_do_not_collide() {
        for entry in ACTIONS {
            for key in entry.keys {
                let parsed = Key::parse(key).unwrap_or_else(|| panic!("{key}"));
                assert_eq!(Key::parse(&parsed.to_string()), Some(parsed), "{key}");
            }
        }
        assert_eq!(KeyMap::default().check(), Ok(()));
    }

    #[test]
    fn configured_keys_replace_and_are_checked() {
        let map = KeyMap::with([("pause", "ctrl-s f9")]).unwrap();
        let key = Key::parse("ctrl-s").unwrap();
        assert_eq!(map.action(Scope::Run, key), Some(Action::Pause));
        assert_eq!(map.action(Scope::Run, Key::parse("p").unwrap()), None);
        assert!(matches!(
            KeyMap::with([("pause", "q")]),
            Err(BadKeys::Conflict { .. })
        ));
        assert!(matches!(
            KeyMap::with([("pawse", "q")]),
            Err(BadKeys::UnknownAction { .. })
        ));
        assert!(matches!(
            KeyMap::with([("pause", "hyper-q")]),
            Err(BadKeys::UnknownKey { .. })
        ));
    }

    #[test]
    fn dashes_and_capitals_are_keys_too() {
        assert!(Key::parse("-").is_some());
        assert!(Key::parse("ctrl--").is_some());
        assert_eq!(
            Key::parse("G"),
            Some(KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT).into())
        );
        assert!(Key::parse("f99").is_none());
    }
}
