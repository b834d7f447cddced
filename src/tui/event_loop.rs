//! The loop: wait for something to happen, take it in, draw what changed.
//!
//! One channel carries keys and replies, so their order is the order in which they came. It is
//! bounded: an engine that has more to tell than can be drawn waits, and nothing is lost. Frames
//! are drawn when something changed, at most thirty a second, and only cells that changed are sent,
//! which keeps slow lines usable.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indago_core::{RunId, RunState};
use ratatui::crossterm::event::{self, Event, KeyEventKind, MouseButton, MouseEventKind};

use super::engine::Engine;
use super::model::{App, Effect, Level};
use super::screens::View;
use super::terminal::{self, Guard};
use super::update::{Message, update};
use super::{Options, Subject, clipboard};

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// Longest time that messages are taken in before a frame is drawn.
const PATIENCE: Duration = Duration::from_millis(12);
/// How often the time that is shown goes on.
const TICK: Duration = Duration::from_millis(500);
/// Messages that may wait; each holds at most a few hundred events.
const WAITING: usize = 64;
/// How long a signal waits for the loop to end in order.
const GRACE: Duration = Duration::from_secs(2);

/// What the loop is told.
#[derive(Debug)]
pub(super) enum Told {
    /// Something for the state.
    Message(Message),
    /// A signal asks to end; its number.
    Signal(i32),
    /// There is no keyboard any more.
    Deaf,
}

/// How the interface was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The run that was watched, and where it stood.
    pub run: Option<(RunId, RunState)>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Panics of other threads, for the log.
    pub panics: Vec<String>,
}

/// Opens the interface and stays in it until it is left.
///
/// # Errors
/// [`crate::Error::NoTerminal`] where there is none to draw on; an I/O error when it goes away.
pub fn open(options: Options) -> Result<Ended, crate::Error> {
    terminal::check().map_err(crate::Error::NoTerminal)?;
    let io_error = |e| crate::Error::io("draw on", "the terminal", e);
    let theme = options.theme.unwrap_or_else(terminal::theme);
    let project = options.project.root().display().to_string();
    let mut app = App::new(
        &project,
        options.corpus.clone(),
        options.keys.clone(),
        theme,
    );
    app.mouse = options.mouse;
    let (tell, told) = sync_channel(WAITING);
    let engine = Engine::start(&options, tell.clone());
    for effect in first_effects(&options, &mut app) {
        engine.perform(effect);
    }
    let guard = Guard::take(options.mouse).map_err(io_error)?;
    listen(&tell);
    watch_signals(&tell);
    watch_terminal(&tell);
    let mut screen = guard.screen().map_err(io_error)?;
    let signal = run(&mut app, &engine, &told, &mut screen);
    drop(screen);
    drop(guard);
    engine.stop();
    Ok(Ended {
        run: app.run.as_ref().map(|run| (run.id.clone(), run.state)),
        signal: signal.map_err(io_error)?,
        panics: terminal::take_panics(),
    })
}

fn first_effects(options: &Options, app: &mut App) -> Vec<Effect> {
    if !options.workflows.is_empty() {
        app.start.workflows.clone_from(&options.workflows);
    }
    let mut effects = vec![Effect::LoadLists];
    if let Some((corpus, folder)) = &options.index {
        app.start.wanted = Some(corpus.clone());
        effects.push(Effect::Index {
            corpus: corpus.clone(),
            paths: vec![folder.clone()],
        });
    }
    match &options.subject {
        Some(Subject::Question(question)) if options.index.is_some() => {
            // The corpus has to be there first; the question waits in its field.
            app.start.question.paste(question);
        }
        Some(Subject::Question(question)) => effects.push(Effect::Ask {
            question: question.clone(),
            corpus: options
                .corpus
                .clone()
                .unwrap_or_else(|| "default".to_owned()),
            approve: options.approve,
            workflow: app.workflow(),
        }),
        Some(Subject::Run(id)) => effects.push(Effect::Watch {
            run: RunId::new(id.as_str()),
            from: 0,
        }),
        None => {}
    }
    effects
}

fn run(
    app: &mut App,
    engine: &Engine,
    told: &Receiver<Told>,
    screen: &mut terminal::Screen,
) -> std::io::Result<Option<i32>> {
    let mut view = View::new(terminal::charset());
    let mut is_stale = true;
    let mut drawn = Instant::now()
        .checked_sub(FRAME)
        .unwrap_or_else(Instant::now);
    app.now_ms = now_ms();
    loop {
        if is_stale && drawn.elapsed() >= FRAME {
            draw(app, &mut view, screen)?;
            (is_stale, drawn) = (false, Instant::now());
        }
        let wait = if is_stale {
            FRAME.saturating_sub(drawn.elapsed())
        } else {
            TICK
        };
        let mut next = match told.recv_timeout(wait) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => {
                let moves = app.is_live() || app.message.is_some();
                is_stale |= moves;
                update(app, Message::Tick(now_ms()));
                None
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        };
        let since = Instant::now();
        while let Some(message) = next.take() {
            match message {
                Told::Signal(number) => return Ok(Some(number)),
                Told::Deaf => return Ok(None),
                Told::Message(message) => {
                    app.now_ms = now_ms();
                    for effect in update(app, message) {
                        perform(app, engine, screen, effect)?;
                    }
                    is_stale = true;
                }
            }
            if app.is_over {
                return Ok(None);
            }
            if since.elapsed() < PATIENCE {
                next = told.try_recv().ok();
            }
        }
    }
}

fn draw(app: &mut App, view: &mut View, screen: &mut terminal::Screen) -> std::io::Result<()> {
    let mut sight = None;
    screen.draw(|frame| {
        let found = view.draw(app, frame.buffer_mut());
        if let Some(cursor) = found.cursor {
            frame.set_cursor_position(cursor);
        }
        sight = Some(found);
    })?;
    if let Some(sight) = sight {
        app.sight = sight;
    }
    Ok(())
}

/// Does here what has to do with the terminal; the rest goes to the engine.
fn perform(
    app: &mut App,
    engine: &Engine,
    screen: &mut terminal::Screen,
    effect: Effect,
) -> std::io::Result<()> {
    match effect {
        Effect::Quit => app.is_over = true,
        Effect::Redraw => screen.clear()?,
        Effect::Mouse(taken) => terminal::set_mouse(screen, taken)?,
        Effect::Copy(text) => match clipboard::sequence(&text) {
            Some(sequence) => {
                screen.backend_mut().write_all(sequence.as_bytes())?;
                std::io::Write::flush(screen.backend_mut())?;
            }
            None => app.say(
                Level::Problem,
                "too long for the clipboard; e exports it to a file",
            ),
        },
        effect => engine.perform(effect),
    }
    Ok(())
}

/// Reads the keyboard on a thread of its own.
fn listen(tell: &SyncSender<Told>) {
    let tell = tell.clone();
    // Without a keyboard the interface still shows; signals end it.
    let _thread = std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || {
            loop {
                let told = match event::read() {
                    Ok(event) => translate(event).map(Told::Message),
                    Err(_gone) => Some(Told::Deaf),
                };
                let is_last = matches!(told, Some(Told::Deaf));
                if let Some(told) = told
                    && tell.send(told).is_err()
                {
                    return;
                }
                if is_last {
                    return;
                }
            }
        });
}

fn translate(event: Event) -> Option<Message> {
    Some(match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Message::Key(key.into()),
        Event::Paste(text) => Message::Paste(text),
        Event::Resize(..) | Event::FocusGained => Message::Resized,
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Message::Click(mouse.column, mouse.row),
            MouseEventKind::ScrollUp => Message::Wheel(-3, mouse.column, mouse.row),
            MouseEventKind::ScrollDown => Message::Wheel(3, mouse.column, mouse.row),
            _ => return None,
        },
        _ => return None,
    })
}

/// SIGTERM and SIGHUP end the interface in order; runs have processes of their own and go on.
fn watch_signals(tell: &SyncSender<Told>) {
    let tell = tell.clone();
    let _thread = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let Some(number) = wait_for_signal() else {
                return;
            };
            leave(&tell, number);
        });
}

/// Has the loop end in order, and ends the program when it does not.
fn leave(tell: &SyncSender<Told>, number: i32) {
    let _gone = tell.try_send(Told::Signal(number));
    std::thread::sleep(GRACE);
    // The loop is stuck, most likely in a write to a terminal that is gone.
    terminal::restore();
    #[expect(clippy::exit, reason = "asked to end, and the loop did not")]
    std::process::exit(128 + number);
}

/// Ends the interface when its terminal is gone. The signal that says so goes to the first process
/// of the session only, which may ignore it; and reading the keyboard of a terminal that is gone
/// neither fails nor waits.
fn watch_terminal(tell: &SyncSender<Told>) {
    let tell = tell.clone();
    let _thread = std::thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(move || {
            if terminal::hangs_up() {
                leave(&tell, 1);
            }
        });
}

#[cfg(unix)]
fn wait_for_signal() -> Option<i32> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).ok()?;
        let mut hup = signal(SignalKind::hangup()).ok()?;
        Some(tokio::select! {
            _ = term.recv() => 15,
            _ = hup.recv() => 1,
        })
    })
}

#[cfg(not(unix))]
fn wait_for_signal() -> Option<i32> {
    None
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
