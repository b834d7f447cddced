//! What reaches the terminal, byte by byte, when documents are hostile.

use indago_core::{Event, NodeId, PassageId};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::stage;
use crate::tui::model::library::{DocumentRow, HitList, HitRow, PassageRow};
use crate::tui::model::report::OpenDocument;
use crate::tui::model::run::Numbered;
use crate::tui::model::{App, Reply, Screen};
use crate::tui::screens::View;
use crate::tui::text::{clean, is_hostile};
use crate::tui::update::{Message, update};

/// Everything a document could try.
const TRICKS: &str = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;cGF3bmVk\x07\x1bP1;2|x\x1b\\\u{9b}31m\u{9d}8;;http://x\u{9c}\
    \u{202e}evil\u{202c}\u{2066}x\u{2069}\u{200b}\u{200d}\u{feff}\u{e0041}\r\n\t\x08\x7f\0 a\u{300}\u{301}\u{302}\u{303}";

/// Draws a state as the loop would, and gives the bytes.
fn bytes(app: &App, width: u16, height: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let area = ratatui::layout::Rect::new(0, 0, width, height);
    let options = ratatui::TerminalOptions {
        viewport: ratatui::Viewport::Fixed(area),
    };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut out), options).unwrap();
    let mut view = View::default();
    terminal
        .draw(|frame| {
            view.draw(app, frame.buffer_mut());
        })
        .unwrap();
    drop(terminal);
    out
}

/// Takes out the sequences that the back end writes: styles, moves, showing and hiding the cursor.
/// What is left is text.
fn text_of(bytes: &[u8]) -> Result<String, String> {
    let text = String::from_utf8(bytes.to_vec()).map_err(|e| e.to_string())?;
    let mut rest = text.as_str();
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        let body = after
            .strip_prefix('[')
            .ok_or_else(|| format!("not a CSI: {after:.20}"))?;
        let end = body
            .find(|c: char| c.is_ascii_alphabetic())
            .ok_or("a sequence without end")?;
        let (parameters, last) = (&body[..end], &body[end..=end]);
        if !matches!(last, "m" | "H" | "h" | "l")
            || parameters.contains(|c: char| !"0123456789;:?".contains(c))
        {
            return Err(format!(
                "a sequence that the back end does not write: {parameters}{last}"
            ));
        }
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn poisoned(poison: &str) -> Vec<App> {
    let (stage, _) = stage(120, 40);
    let mut app = stage.app().clone();
    app.project = clean(poison);
    let run = app.run.as_mut().unwrap();
    let (id, next) = (run.id.clone(), run.next_seq);
    let events = [
        Event::Started {
            question: poison.to_owned(),
            corpus: poison.to_owned(),
        },
        Event::Edited {
            edit: indago_core::GraphEdit::Add {
                text: poison.to_owned(),
                reason: poison.to_owned(),
                depends_on: vec![NodeId(0)],
            },
            node: Some(NodeId(3)),
        },
        Event::Quoted {
            node: NodeId(3),
            passage: PassageId([0; 16]),
            text: poison.to_owned(),
        },
        Event::Warned {
            message: poison.to_owned(),
        },
        Event::Dropped {
            claim: poison.to_owned(),
            reason: poison.to_owned(),
        },
    ];
    let events = events.into_iter().enumerate().map(|(i, event)| Numbered {
        seq: next + i as u64,
        at_ms: 0,
        event,
    });
    let told = [
        Reply::Events(id, events.collect()),
        Reply::Documents(
            "coast".to_owned(),
            vec![DocumentRow {
                id: poison.to_owned(),
                title: clean(poison),
                passages: 1,
            }],
            0,
        ),
        Reply::Passages(vec![PassageRow {
            place: clean(poison),
            text: clean(poison),
            span: (0, 1),
        }]),
        Reply::Failed(poison.to_owned()),
    ];
    app.library.shown = Some("coast".to_owned());
    for reply in told {
        update(&mut app, Message::reply(reply));
    }
    if let Some(reading) = &mut app.reading {
        let mut report = (*reading.report).clone();
        report.question = poison.to_owned();
        report.sections[0].heading = poison.to_owned();
        report.sources[0].title = poison.to_owned();
        report.reasoner = poison.to_owned();
        reading.report = std::sync::Arc::new(report);
        reading.document = Some(OpenDocument::new(poison, poison, poison, 0..poison.len()));
    }
    if let Some(run) = &mut app.run {
        run.selected = 3;
    }
    for run in &mut app.start.runs {
        run.question = poison.to_owned();
    }
    let mut apps = Vec::new();
    for screen in [Screen::Start, Screen::Run, Screen::Report, Screen::Library] {
        let mut shown = app.clone();
        shown.screen = screen;
        apps.push(shown);
    }
    let mut searching = apps[3].clone();
    searching.library.query = clean(poison);
    searching.library.lists = vec![HitList {
        retriever: "bm25".to_owned(),
        hits: Ok(vec![HitRow {
            document: poison.to_owned(),
            source: clean(poison),
            text: clean(poison),
            why: clean(poison),
            span: (0, 1),
        }]),
        took_ms: 0,
    }];
    apps.push(searching);
    apps
}

fn check(poison: &str) -> Result<(), String> {
    for app in poisoned(poison) {
        for (width, height) in [(120, 40), (60, 20)] {
            let text = text_of(&bytes(&app, width, height))?;
            if let Some(c) = text.chars().find(|c| is_hostile(*c)) {
                return Err(format!("{c:?} on {:?}", app.screen));
            }
        }
    }
    Ok(())
}

#[test]
fn no_trick_reaches_the_terminal() {
    assert_eq!(check(TRICKS), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_text_reaches_the_terminal_as_a_sequence(
        parts in prop::collection::vec(prop_oneof![
            Just("\u{1b}[".to_owned()), Just("\u{1b}]".to_owned()), Just("\u{9b}".to_owned()),
            Just("\u{202e}".to_owned()), Just("\u{200b}".to_owned()), any::<String>(),
        ], 1..12)
    ) {
        prop_assert_eq!(check(&parts.concat()), Ok(()));
    }
}
