//! Takes the terminal, and gives it back whatever happens: return, error, panic, SIGTERM, SIGHUP.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};

use super::charset::{Charset, Depth};
use super::theme::ThemeName;
use crate::env;

/// Whether the terminal is taken now.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// What other threads said while panicking; shown once the terminal is given back.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The terminal as a back end of ratatui: one write per frame.
pub(super) type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Why there is no interface here. Plain output does the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// Input or output is a pipe or a file.
    #[error("this is not a terminal")]
    NotATerminal,
    /// It cannot move its cursor.
    #[error("this terminal is dumb (TERM)")]
    Dumb,
}

/// Whether an interface can be shown.
///
/// # Errors
/// Why not.
pub(super) fn check() -> Result<(), Unsuitable> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Unsuitable::NotATerminal);
    }
    match env::read(env::TERM).as_deref() {
        None | Some("dumb") => Err(Unsuitable::Dumb),
        Some(_) => Ok(()),
    }
}

/// What this terminal can show, as its environment says.
pub(super) fn charset() -> Charset {
    let locale = [env::LC_ALL, env::LC_CTYPE, env::LANG]
        .into_iter()
        .find_map(env::read)
        .unwrap_or_default()
        .to_lowercase();
    let term = env::read(env::TERM).unwrap_or_default();
    let depth = if env::read(env::NO_COLOR).is_some() {
        Depth::None
    } else if matches!(
        env::read(env::COLORTERM).as_deref(),
        Some("truecolor" | "24bit")
    ) {
        Depth::True
    } else if term.contains("256color") {
        Depth::Indexed
    } else {
        Depth::Sixteen
    };
    Charset {
        unicode: locale.contains("utf-8") || locale.contains("utf8"),
        depth,
    }
}

/// The theme for this terminal's background, where it tells: `COLORFGBG` ends in its number.
pub(super) fn theme() -> ThemeName {
    if env::read(env::NO_COLOR).is_some() {
        return ThemeName::Mono;
    }
    let background = env::read(env::COLORFGBG)
        .and_then(|colours| colours.rsplit(';').next()?.parse::<u8>().ok());
    match background {
        Some(7 | 9..=15) => ThemeName::Light,
        _ => ThemeName::Dark,
    }
}

/// The taken terminal; dropping it gives it back.
pub(super) struct Guard(());

impl Guard {
    /// Takes the terminal: raw keys, the alternate screen, pastes as pastes.
    pub(super) fn take(mouse: bool) -> io::Result<Self> {
        restore_on_panic(std::thread::current().id());
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let guard = Self(());
        let mut out = io::stdout();
        execute!(
            out,
            EnterAlternateScreen,
            EnableBracketedPaste,
            cursor::Hide
        )?;
        if mouse {
            execute!(out, EnableMouseCapture)?;
        }
        Ok(guard)
    }

    /// The screen to draw on.
    pub(super) fn screen(&self) -> io::Result<Screen> {
        let out = BufWriter::with_capacity(1 << 16, io::stdout());
        Terminal::new(CrosstermBackend::new(out))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Takes the mouse, or gives it back.
pub(super) fn set_mouse(screen: &mut Screen, taken: bool) -> io::Result<()> {
    let out = screen.backend_mut();
    if taken {
        queue!(out, EnableMouseCapture)?;
    } else {
        queue!(out, DisableMouseCapture)?;
    }
    out.flush()
}

/// Gives the terminal back; does nothing the second time. Errors have no reader any more.
pub(super) fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _gone = execute!(
        out,
        DisableMouseCapture,
        DisableBracketedPaste,
        cursor::Show,
        LeaveAlternateScreen
    );
    let _gone = disable_raw_mode();
}

/// What other threads said while panicking, since last asked.
pub(super) fn take_panics() -> Vec<String> {
    std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A panic of the drawing thread gives the terminal back before it is printed. Those of other
/// threads, which work goes on after, are kept from the screen.
fn restore_on_panic(drawing: ThreadId) {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::SeqCst) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let taken = TAKEN.load(Ordering::SeqCst);
        if taken && std::thread::current().id() != drawing {
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            if panics.len() < 20 {
                panics.push(info.to_string());
            }
            return;
        }
        restore();
        before(info);
    }));
}

/// Waits until the terminal hangs up; `false` where that cannot be told.
#[cfg(unix)]
pub(super) fn hangs_up() -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let terminal = io::stdout();
    // Nothing is asked for, so that it answers once the terminal hangs up.
    let mut watched = [PollFd::new(&terminal, PollFlags::empty())];
    while let Err(rustix::io::Errno::INTR) = poll(&mut watched, None) {}
    let gone = PollFlags::HUP | PollFlags::ERR;
    watched[0].revents().intersects(gone)
}

#[cfg(not(unix))]
pub(super) fn hangs_up() -> bool {
    false
}
