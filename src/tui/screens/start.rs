//! Ask; see runs and corpora.

use indago_core::RunState;
use ratatui::layout::Rect;

use super::paint::{Painter, ago};
use crate::tui::keymap::Action;
use crate::tui::model::run::state_word;
use crate::tui::model::{App, StartPane, Target};
use crate::tui::text::clean_bounded;

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let ask_rows = 5.min(area.height);
    ask(
        painter,
        app,
        Rect::new(area.x, area.y, area.width, ask_rows),
    );
    let rest = Rect::new(
        area.x,
        area.y + ask_rows,
        area.width,
        area.height - ask_rows,
    );
    if rest.height < 3 {
        return;
    }
    let corpora_columns = (rest.width / 3).clamp(20, 56).min(rest.width - 10);
    let left = Rect::new(rest.x, rest.y, rest.width - corpora_columns, rest.height);
    let right = Rect::new(left.right(), rest.y, corpora_columns, rest.height);
    runs(painter, app, left);
    corpora(painter, app, right);
}

fn ask(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let has_focus = app.start.pane == StartPane::Question;
    painter
        .sight
        .targets
        .push((area, Target::Start(StartPane::Question)));
    let inner = painter.pane(area, "Ask", has_focus);
    if inner.height < 3 || inner.width < 10 {
        return;
    }
    let field = inner.width - 3;
    painter.text(inner.x, inner.y, 2, "> ", theme.key);
    if app.start.question.text().is_empty() {
        let hint = "type a question and press enter";
        painter.text(inner.x + 2, inner.y, field, hint, theme.dim);
    }
    let typing = has_focus && app.overlay.is_none();
    painter.field(inner.x + 2, inner.y, field, &app.start.question, typing);
    let corpus = match app.corpus() {
        Some(corpus) => vec![
            ("corpus ".to_owned(), theme.dim),
            (corpus.name.clone(), theme.title),
            (
                format!(
                    "  {} documents, {} passages, {}",
                    corpus.documents,
                    corpus.passages,
                    corpus.health()
                ),
                theme.dim,
            ),
        ],
        None if app.start.is_loaded => {
            let key = app.keys.hint(Action::Index);
            vec![(
                format!("no corpus yet: esc, then {key}, indexes files or folders"),
                theme.warn,
            )]
        }
        None => vec![("reading the project ...".to_owned(), theme.dim)],
    };
    painter.pieces(inner.x, inner.y + 1, inner.width, &corpus);
    let (name, about) = app.workflow().words();
    let mut workflow = vec![
        ("workflow ".to_owned(), theme.dim),
        (name, theme.title),
        (format!("  {about}"), theme.dim),
    ];
    let n = app.start.workflows.len();
    if n > 1 {
        let (at, key) = (app.start.workflow + 1, app.keys.hint(Action::NextWorkflow));
        workflow.insert(1, (format!("{at}/{n} ({key}) "), theme.dim));
    }
    painter.pieces(inner.x, inner.y + 2, inner.width, &workflow);
}

fn runs(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let has_focus = app.start.pane == StartPane::Runs;
    painter
        .sight
        .targets
        .push((area, Target::Start(StartPane::Runs)));
    let title = format!("Runs ({})", app.start.runs.len());
    let inner = painter.pane(area, &title, has_focus);
    if app.start.runs.is_empty() && app.start.is_loaded {
        painter.text(inner.x, inner.y, inner.width, "none yet", theme.dim);
    }
    let wide = inner.width >= 50;
    painter.list(
        inner,
        app.start.runs.len(),
        app.start.run,
        has_focus,
        Target::StartRun,
        |_, i| {
            let run = &app.start.runs[i];
            let style = match run.state {
                RunState::Running => theme.active,
                RunState::Finished => theme.good,
                RunState::Stopped => theme.dim,
                RunState::Interrupted => theme.warn,
            };
            let sign = match run.state {
                RunState::Running => "◐ ",
                RunState::Finished => "● ",
                RunState::Stopped => "× ",
                RunState::Interrupted => "↻ ",
            };
            let mut row = vec![(sign.to_owned(), style)];
            if wide {
                row.push((format!("{:<12}", state_word(run.state)), style));
                row.push((
                    format!("{:>6}  ", ago(app.now_ms, run.started_ms)),
                    theme.dim,
                ));
            }
            row.push((clean_bounded(&run.question, 300), theme.text));
            row
        },
    );
}

fn corpora(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let has_focus = app.start.pane == StartPane::Corpora;
    painter
        .sight
        .targets
        .push((area, Target::Start(StartPane::Corpora)));
    let inner = painter.pane(area, "Corpora", has_focus);
    if app.start.corpora.is_empty() && app.start.is_loaded {
        painter.text(inner.x, inner.y, inner.width, "none yet", theme.dim);
    }
    painter.list(
        inner,
        app.start.corpora.len(),
        app.start.corpus,
        has_focus,
        Target::StartCorpus,
        |_, i| {
            let corpus = &app.start.corpora[i];
            let sick = corpus.problem.is_some() || !corpus.is_complete;
            let style = if sick { theme.warn } else { theme.dim };
            vec![
                (format!("{}  ", corpus.name), theme.text),
                (
                    format!("{} docs, {}", corpus.documents, corpus.health()),
                    style,
                ),
            ]
        },
    );
}
