//! Colours.
//!
//! The palettes are Okabe and Ito's (2008), which people with any common colour blindness tell
//! apart; the light one is darkened for contrast on white. Colour never stands alone: each state
//! has a sign and a word too. The terminal's own background stays.

use indago_core::NodeState;
use ratatui::style::{Color, Modifier, Style};

/// Which palette.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// No colours: bold, dim and reversed only.
    Mono,
}

impl ThemeName {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }

    /// The theme of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Dark, Self::Light, Self::Mono]
            .into_iter()
            .find(|theme| theme.name() == name)
    }

    /// The next one, for a key that goes through them.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }
}

/// Styles by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Running text.
    pub(crate) text: Style,
    /// What matters less.
    pub(crate) dim: Style,
    /// Headings and titles.
    pub(crate) title: Style,
    /// Borders of panes without the focus.
    pub(crate) border: Style,
    /// The border of the pane with the focus.
    pub(crate) focus: Style,
    /// Keys in hints.
    pub(crate) key: Style,
    /// The selected row.
    pub(crate) selected: Style,
    /// Quoted text.
    pub(crate) quote: Style,
    /// Marked text: the quote in its document, matches of a search.
    pub(crate) mark: Style,
    /// Good news.
    pub(crate) good: Style,
    /// Under way.
    pub(crate) active: Style,
    /// Needs attention.
    pub(crate) warn: Style,
    /// Failed.
    pub(crate) bad: Style,
    /// Out of the ordinary.
    pub(crate) special: Style,
}

const fn rgb(r: u8, g: u8, b: u8) -> Style {
    Style::new().fg(Color::Rgb(r, g, b))
}

impl Theme {
    /// The styles of a palette.
    pub(crate) fn of(name: ThemeName) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        let reversed = plain.add_modifier(Modifier::REVERSED);
        let mono = Self {
            text: plain,
            dim,
            title: bold,
            border: dim,
            focus: bold,
            key: bold,
            selected: reversed,
            quote: plain.add_modifier(Modifier::ITALIC),
            mark: reversed,
            good: bold,
            active: bold,
            warn: bold,
            bad: bold.add_modifier(Modifier::UNDERLINED),
            special: plain.add_modifier(Modifier::UNDERLINED),
        };
        let strong = |style: Style| style.add_modifier(Modifier::BOLD);
        match name {
            ThemeName::Mono => mono,
            ThemeName::Dark => Self {
                dim: rgb(138, 141, 150),
                border: rgb(84, 88, 98),
                focus: rgb(86, 180, 233),
                key: rgb(240, 228, 66),
                quote: rgb(206, 206, 198),
                mark: Style::new()
                    .fg(Color::Rgb(0, 0, 0))
                    .bg(Color::Rgb(240, 228, 66)),
                good: rgb(60, 190, 146),
                active: strong(rgb(86, 180, 233)),
                warn: rgb(230, 159, 0),
                bad: strong(rgb(240, 120, 60)),
                special: rgb(214, 141, 184),
                ..mono
            },
            ThemeName::Light => Self {
                dim: rgb(100, 103, 112),
                border: rgb(176, 179, 188),
                focus: rgb(0, 90, 150),
                key: strong(rgb(130, 60, 0)),
                quote: rgb(60, 62, 70),
                mark: Style::new()
                    .fg(Color::Rgb(0, 0, 0))
                    .bg(Color::Rgb(250, 224, 90)),
                good: rgb(0, 112, 80),
                active: strong(rgb(0, 96, 160)),
                warn: rgb(146, 88, 0),
                bad: strong(rgb(176, 58, 0)),
                special: rgb(150, 60, 116),
                ..mono
            },
        }
    }

    /// The style of a node's state.
    pub(crate) fn state(&self, state: NodeState) -> Style {
        match state {
            NodeState::Proposed => self.dim,
            NodeState::Ready => self.text,
            NodeState::Running => self.active,
            NodeState::Answered => self.good,
            NodeState::Unanswerable => self.warn,
            NodeState::Reopened => self.special,
            NodeState::Pruned => self.dim.add_modifier(Modifier::CROSSED_OUT),
        }
    }
}

/// The sign of a state: one column.
pub(crate) fn sign(state: NodeState) -> &'static str {
    match state {
        NodeState::Proposed => "◌",
        NodeState::Ready => "○",
        NodeState::Running => "◐",
        NodeState::Answered => "●",
        NodeState::Unanswerable => "∅",
        NodeState::Reopened => "↻",
        NodeState::Pruned => "×",
    }
}

/// The word for a state.
pub(crate) fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Proposed => "proposed",
        NodeState::Ready => "ready",
        NodeState::Running => "running",
        NodeState::Answered => "answered",
        NodeState::Unanswerable => "not found",
        NodeState::Reopened => "reopened",
        NodeState::Pruned => "pruned",
    }
}
