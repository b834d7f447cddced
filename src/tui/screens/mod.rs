//! From the state to cells. Screens read the state and write cells; what they learn about sizes
//! and places goes into [`Sight`], from which paging and clicking work.

mod document;
mod library;
mod overlay;
mod paint;
mod report;
mod run;
mod start;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::charset::Charset;
use super::graph::{Branch, Drawing};
use super::keymap::Action;
use super::model::{App, Level, Screen, Sight, StartPane};
use super::theme::Theme;
use paint::Painter;

/// Smallest window in which the screens make sense.
const LEAST: (u16, u16) = (30, 8);

/// Draws frames, and remembers between them what is costly to work out.
#[derive(Debug, Default)]
pub(crate) struct View {
    charset: Charset,
    graph: Option<KnownGraph>,
}

/// A graph laid out for some width.
#[derive(Debug)]
struct KnownGraph {
    run: String,
    version: u64,
    width: u16,
    wants_tree: bool,
    drawing: Option<Drawing>,
    tree: Vec<Branch>,
}

impl View {
    /// For a terminal that can show this much.
    pub(crate) fn new(charset: Charset) -> Self {
        Self {
            charset,
            graph: None,
        }
    }

    /// Draws a frame and gives what was found while doing so.
    pub(crate) fn draw(&mut self, app: &App, buffer: &mut Buffer) -> Sight {
        let area = buffer.area;
        let mut sight = Sight {
            screen: Some(app.screen),
            ..Sight::default()
        };
        let mut painter = Painter::new(buffer, Theme::of(app.theme), &mut sight);
        if area.width < LEAST.0 || area.height < LEAST.1 {
            tiny(&mut painter, app, area);
        } else {
            let body = Rect::new(area.x, area.y + 1, area.width, area.height - 2);
            header(&mut painter, app, area);
            match app.screen {
                Screen::Start => start::draw(&mut painter, app, body),
                Screen::Run => run::draw(&mut painter, app, body, &mut self.graph),
                Screen::Report => report::draw(&mut painter, app, body),
                Screen::Library => library::draw(&mut painter, app, body),
            }
            footer(&mut painter, app, area);
            overlay::draw(&mut painter, app, area);
        }
        self.charset.finish(buffer);
        sight
    }
}

/// A window too small for a screen says the most important thing, and how to leave.
fn tiny(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let size = format!("{}x{}", area.width, area.height);
    let state = app.run.as_ref().map(|run| {
        let (ended, nodes) = run.progress();
        format!(
            "{ended}/{nodes} {}",
            super::model::run::state_word(run.state)
        )
    });
    let quit = format!("{} quits", app.keys.hint(Action::Quit));
    let rows = [
        "indago".to_owned(),
        state.unwrap_or(size),
        "too small".to_owned(),
        quit,
    ];
    for (row, text) in rows.iter().enumerate().take(usize::from(area.height)) {
        painter.text(area.x, area.y + row as u16, area.width, text, theme.text);
    }
}

fn header(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let typing = app.screen == Screen::Start && app.start.pane == StartPane::Question;
    let mut x = area.x + painter.text(area.x, area.y, area.width, " indago ", theme.title);
    for (screen, action, name) in [
        (Screen::Start, Action::ShowStart, "start"),
        (Screen::Run, Action::ShowRun, "run"),
        (Screen::Report, Action::ShowReport, "report"),
        (Screen::Library, Action::ShowLibrary, "library"),
    ] {
        // While text is typed a digit is text; the function key still leads there.
        let keys = app.keys.keys(action);
        let key = if typing { keys.last() } else { keys.first() };
        let key = key.map(ToString::to_string).unwrap_or_default();
        let style = if screen == app.screen {
            theme.selected
        } else {
            theme.dim
        };
        let room = area.right().saturating_sub(x);
        x += painter.text(x, area.y, room, &format!(" {key} {name} "), style);
    }
    let room = area.right().saturating_sub(x + 1);
    let columns = super::text::columns(&app.project) as u16;
    if columns <= room {
        let at = area.right() - columns - 1;
        painter.text(at, area.y, columns, &app.project, theme.dim);
    }
}

fn footer(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let y = area.bottom() - 1;
    if let Some(message) = &app.message {
        let style = match message.level {
            Level::Info => theme.good,
            Level::Problem => theme.bad,
        };
        painter.text(area.x + 1, y, area.width - 1, &message.text, style);
        return;
    }
    let mut x = area.x + 1;
    if let Some(job) = &app.job {
        x += overlay::job(painter, job, Rect::new(x, y, area.width - 1, 1), app) + 2;
    }
    for (action, word) in hints(app) {
        let typing = app.screen == Screen::Start && app.start.pane == StartPane::Question;
        let keys = app.keys.keys(action);
        // What types a character is no command while text is typed.
        let key = keys.iter().find(|key| !typing || key.typed().is_none());
        let Some(key) = key else { continue };
        let (key, word) = (key.to_string(), format!(" {word}  "));
        let columns = (key.chars().count() + word.chars().count()) as u16;
        if x + columns > area.right() {
            break;
        }
        x += painter.text(x, y, columns, &key, theme.key);
        x += painter.text(x, y, columns, &word, theme.dim);
    }
}

/// What the footer of a screen names, most important first.
fn hints(app: &App) -> Vec<(Action, &'static str)> {
    let screen: &[(Action, &str)] = match app.screen {
        Screen::Start if app.start.pane == StartPane::Question => &[
            (Action::Open, "ask"),
            (Action::AskPaused, "ask, approve plan"),
            (Action::NextCorpus, "next corpus"),
            (Action::Next, "runs"),
            (Action::Back, "commands"),
        ],
        Screen::Start => &[
            (Action::Open, "open"),
            (Action::Resume, "resume"),
            (Action::AskAgain, "ask again"),
            (Action::Index, "index"),
            (Action::Next, "next pane"),
        ],
        Screen::Run
            if app
                .run
                .as_ref()
                .is_some_and(super::model::run::Run::has_ended) =>
        {
            &[
                (Action::ShowReport, "report"),
                (Action::FollowUp, "follow up"),
                (Action::Fork, "fork"),
                (Action::Next, "next pane"),
                (Action::Tree, "tree"),
                (Action::Zoom, "zoom"),
            ]
        }
        Screen::Run => &[
            (Action::Pause, "pause"),
            (Action::AddNode, "add"),
            (Action::Reword, "reword"),
            (Action::Prune, "prune"),
            (Action::Rerun, "again"),
            (Action::Budget, "budget"),
            (Action::FinishNow, "finish"),
            (Action::FollowUp, "follow up"),
            (Action::Tree, "tree"),
            (Action::Zoom, "zoom"),
        ],
        Screen::Report => &[
            (Action::NextQuote, "next quote"),
            (Action::Open, "in its document"),
            (Action::Find, "search"),
            (Action::Export, "export"),
            (Action::Copy, "copy"),
            (Action::ReportFollowUp, "follow up"),
        ],
        Screen::Library => &[
            (Action::Query, "query"),
            (Action::Open, "open"),
            (Action::IndexMore, "index"),
            (Action::Next, "next pane"),
        ],
    };
    let always = [
        (Action::Help, "help"),
        (Action::Palette, "commands"),
        (Action::Quit, "leave"),
    ];
    // Help comes early enough to be seen on narrow windows.
    let mut all: Vec<_> = screen.iter().take(4).copied().collect();
    all.extend(always);
    all.extend(screen.iter().skip(4));
    all
}
