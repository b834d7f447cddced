//! From messages and keys to a new state and what should happen outside. No I/O.

mod commands;
mod fields;
mod mouse;
mod movement;
mod replies;

use super::keymap::{ACTIONS, Action, Entry, Key, Scope};
use super::model::editor::Editor;
use super::model::{App, Confirm, Effect, Level, Overlay, Purpose, Reply, Screen, StartPane};

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// A click at column and row.
    Click(u16, u16),
    /// The wheel turned by lines at column and row.
    Wheel(isize, u16, u16),
    /// The window has another size.
    Resized,
    /// Time passed.
    Tick(u64),
    /// Something came back from outside.
    Reply(Box<Reply>),
}

impl Message {
    /// Something came back from outside.
    pub(crate) fn reply(reply: Reply) -> Self {
        Self::Reply(Box::new(reply))
    }
}

/// Takes a message into the state; what comes back should be done, in order.
pub(crate) fn update(app: &mut App, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Key(key) => press(app, key, &mut effects),
        Message::Paste(text) => paste(app, &text),
        Message::Click(x, y) => mouse::click(app, x, y, &mut effects),
        Message::Wheel(lines, x, y) => mouse::wheel(app, lines, x, y),
        Message::Resized => {}
        Message::Tick(now_ms) => {
            app.now_ms = now_ms;
            if app.message.as_ref().is_some_and(|m| m.until_ms <= now_ms) {
                app.message = None;
            }
        }
        Message::Reply(reply) => replies::take(app, *reply, &mut effects),
    }
    effects
}

fn press(app: &mut App, key: Key, effects: &mut Vec<Effect>) {
    if app.overlay.is_some() {
        return overlay_key(app, key, effects);
    }
    let screen = app.screen;
    if let Some(field) = text_field(app)
        && !is_control(screen, key)
        && field.key(key)
    {
        return;
    }
    stop_following(app);
    let keys = std::sync::Arc::clone(&app.keys);
    if let Some(action) = keys.action(app.screen.scope(), key) {
        act(app, action, effects);
    }
}

/// Somebody reads the run now: from here on the selection is theirs.
pub(super) fn stop_following(app: &mut App) {
    let run = app.run.as_mut().filter(|_| app.screen == Screen::Run);
    if let Some(run) = run {
        run.follows = false;
    }
}

/// The field that typed text goes to on the screen itself.
fn text_field(app: &mut App) -> Option<&mut Editor> {
    match app.screen {
        Screen::Start if app.start.pane == StartPane::Question => Some(&mut app.start.question),
        Screen::Library if app.library.is_typing => Some(&mut app.library.field),
        Screen::Report => app.reading.as_mut()?.finding.as_mut(),
        _ => None,
    }
}

/// Keys that act even while text is typed: they type nothing and edit nothing.
fn is_control(screen: Screen, key: Key) -> bool {
    use ratatui::crossterm::event::KeyCode;
    match key.code() {
        KeyCode::Enter
        | KeyCode::Esc
        | KeyCode::Tab
        | KeyCode::BackTab
        | KeyCode::F(_)
        | KeyCode::Up
        | KeyCode::Down
        | KeyCode::PageUp
        | KeyCode::PageDown => true,
        KeyCode::Char(c) if key.control() => {
            !matches!(c, 'a' | 'e' | 'u' | 'k' | 'w') || screen == Screen::Run
        }
        _ => false,
    }
}

fn paste(app: &mut App, text: &str) {
    let whole = match &mut app.overlay {
        Some(Overlay::Field(_, editor) | Overlay::Palette(editor, _)) => editor.paste(text),
        Some(_) => return,
        None => match text_field(app) {
            Some(field) => field.paste(text),
            // A paste outside a field must never be taken for commands.
            None => {
                return app.say(
                    Level::Info,
                    "nothing here takes text; the paste was left out",
                );
            }
        },
    };
    if !whole {
        app.say(
            Level::Problem,
            "the paste is longer than the field; its end was left out",
        );
    }
}

fn overlay_key(app: &mut App, key: Key, effects: &mut Vec<Effect>) {
    use ratatui::crossterm::event::KeyCode;
    let Some(overlay) = app.overlay.take() else {
        return;
    };
    if key.control() && key.code() == KeyCode::Char('c') {
        return;
    }
    match overlay {
        Overlay::Help(top) => {
            let rows = app.sight.rows.max(1);
            let last = app.sight.content.saturating_sub(rows);
            let action = app.keys.action(Scope::Everywhere, key);
            let top = match action {
                Some(Action::Up) => top.saturating_sub(1),
                Some(Action::Down) => top + 1,
                Some(Action::PageUp) => top.saturating_sub(rows),
                Some(Action::PageDown) => top + rows,
                Some(Action::First) => 0,
                Some(Action::Last) => last,
                _ => return,
            };
            app.overlay = Some(Overlay::Help(top.min(last)));
        }
        Overlay::Confirm(confirm) => match key.typed() {
            Some('y' | 'Y') => effects.push(*confirm.then),
            Some('n' | 'N') => {}
            _ if key.code() == KeyCode::Esc => {}
            // Anything else is a slip; the question stays.
            _ => app.overlay = Some(Overlay::Confirm(confirm)),
        },
        Overlay::Palette(mut editor, mut selected) => {
            let found = palette(app, editor.text());
            match key.code() {
                KeyCode::Esc => return,
                KeyCode::Enter => {
                    if let Some(entry) = found.get(selected) {
                        act(app, entry.action, effects);
                    }
                    return;
                }
                KeyCode::Up => selected = selected.saturating_sub(1),
                KeyCode::Down => selected = (selected + 1).min(found.len().saturating_sub(1)),
                _ => {
                    editor.key(key);
                    selected = 0;
                }
            }
            app.overlay = Some(Overlay::Palette(editor, selected));
        }
        Overlay::Field(purpose, mut editor) => match key.code() {
            KeyCode::Esc => {}
            KeyCode::Enter => {
                let text = editor.take();
                if let Err(problem) = fields::submit(app, &purpose, &text, effects) {
                    app.say(Level::Problem, &problem);
                    let again = Editor::with(&text, super::model::MAX_FIELD_BYTES);
                    app.overlay = Some(Overlay::Field(purpose, again));
                }
            }
            _ => {
                editor.key(key);
                app.overlay = Some(Overlay::Field(purpose, editor));
            }
        },
    }
}

/// Commands of this screen whose name or words hold the letters of `typed` in order, best first.
pub(crate) fn palette(app: &App, typed: &str) -> Vec<&'static Entry> {
    let needle = typed.trim().to_lowercase();
    let scope = app.screen.scope();
    let here = |entry: &&Entry| entry.scope == scope || entry.scope == Scope::Everywhere;
    let mut found: Vec<(usize, usize, &Entry)> = ACTIONS
        .iter()
        .filter(here)
        .enumerate()
        .filter_map(|(i, entry)| {
            let words = format!("{} {}", entry.name, entry.doc).to_lowercase();
            let rank = match words.find(&needle) {
                Some(0) => 0,
                Some(_) => 1,
                None if is_subsequence(&needle, &words) => 2,
                None => return None,
            };
            // What belongs to the screen comes before what is always there.
            let general = usize::from(entry.scope == Scope::Everywhere);
            Some((2 * rank + general, i, entry))
        })
        .collect();
    found.sort_by_key(|&(rank, i, _)| (rank, i));
    found.into_iter().map(|(_, _, entry)| entry).collect()
}

fn is_subsequence(needle: &str, text: &str) -> bool {
    let mut rest = text.chars();
    needle.chars().all(|c| rest.any(|t| t == c))
}

/// Does what an action means on the screen in front.
pub(crate) fn act(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Quit if app.job.is_some() => {
            app.overlay = Some(Overlay::Confirm(Confirm {
                question: "Work is under way; leaving stops it and keeps what is done. Leave?"
                    .to_owned(),
                then: Box::new(Effect::Quit),
            }));
        }
        Action::Quit => effects.push(Effect::Quit),
        Action::Help => app.overlay = Some(Overlay::Help(0)),
        Action::Palette => app.overlay = Some(Overlay::Palette(Editor::new(60), 0)),
        Action::ShowStart => show(app, Screen::Start, effects),
        Action::ShowRun => show(app, Screen::Run, effects),
        Action::ShowReport => show(app, Screen::Report, effects),
        Action::ShowLibrary => show(app, Screen::Library, effects),
        Action::Mouse => {
            app.mouse = !app.mouse;
            effects.push(Effect::Mouse(app.mouse));
            let now = if app.mouse {
                "taken"
            } else {
                "left to the terminal"
            };
            app.say(Level::Info, &format!("the mouse is {now}"));
        }
        Action::Theme => {
            app.theme = app.theme.next();
            app.say(Level::Info, &format!("theme {}", app.theme.name()));
        }
        Action::PullModel => ask_for(app, Purpose::Pull, ""),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::CancelJob => match &mut app.job {
            Some(job) => {
                job.is_stopping = true;
                effects.push(Effect::CancelJob);
            }
            None => app.say(Level::Info, "nothing is being indexed or downloaded"),
        },
        Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::PageUp
        | Action::PageDown
        | Action::First
        | Action::Last
        | Action::Next
        | Action::Previous => movement::go(app, action, effects),
        _ => commands::act(app, action, effects),
    }
}

/// Brings a screen to the front, if there is something on it.
pub(super) fn show(app: &mut App, screen: Screen, effects: &mut Vec<Effect>) {
    match screen {
        Screen::Run if app.run.is_none() => {
            return app.say(
                Level::Info,
                "no run yet: ask a question, or open one from the list",
            );
        }
        Screen::Report if app.reading.is_none() => {
            return app.say(Level::Info, "no report yet: a run writes one when it ends");
        }
        Screen::Start => effects.push(Effect::LoadLists),
        Screen::Library => {
            if !app.start.is_loaded {
                effects.push(Effect::LoadLists);
            }
            load_documents(app, effects);
        }
        _ => {}
    }
    app.screen = screen;
}

/// Lists the documents of the selected corpus, unless they are shown already.
pub(super) fn load_documents(app: &mut App, effects: &mut Vec<Effect>) {
    let Some(name) = app.corpus().map(|corpus| corpus.name.clone()) else {
        return;
    };
    if app.library.shown.as_ref() != Some(&name) {
        app.library.shown = Some(name.clone());
        app.library.documents.clear();
        app.library.passages.clear();
        app.library.lists.clear();
        app.library.query.clear();
        app.library.document = 0;
        effects.push(Effect::LoadDocuments(name));
    }
}

/// Opens a field.
pub(super) fn ask_for(app: &mut App, purpose: Purpose, text: &str) {
    let editor = Editor::with(text, super::model::MAX_FIELD_BYTES);
    app.overlay = Some(Overlay::Field(purpose, editor));
}
