//! Every key of every action does what the table says.

use indago_core::Steering;

use super::stage;
use crate::tui::keymap::{ACTIONS, Action, Key, Scope};
use crate::tui::model::run::Pane;
use crate::tui::model::{App, Effect, Overlay, Purpose, Screen, StartPane, Workflow};
use crate::tui::update::Message;

fn screens_of(scope: Scope) -> &'static [Screen] {
    match scope {
        Scope::Everywhere => &[Screen::Start, Screen::Run, Screen::Report, Screen::Library],
        Scope::Start => &[Screen::Start],
        Scope::Run => &[Screen::Run],
        Scope::Report => &[Screen::Report],
        Scope::Library => &[Screen::Library],
    }
}

fn by_model() -> Workflow {
    Workflow::Model {
        model: "tiny".to_owned(),
        strategy: "interleave".to_owned(),
    }
}

fn on(screen: Screen) -> App {
    let (stage, _) = stage(120, 40);
    let mut app = stage.app().clone();
    app.screen = screen;
    app.start.pane = StartPane::Runs;
    app.start.workflows.push(by_model());
    app.start.question.paste("Who designed Skarvholm?");
    // A run that lives can be steered.
    if let Some(run) = &mut app.run {
        run.state = indago_core::RunState::Running;
        run.selected = 1;
    }
    app
}

/// Whether an action did what it is for.
fn did(action: Action, before: &App, after: &App, effects: &[Effect]) -> bool {
    let field = |wanted: &str| match &after.overlay {
        Some(Overlay::Field(purpose, _)) => format!("{purpose:?}").starts_with(wanted),
        _ => false,
    };
    let steers = |wanted: fn(&Steering) -> bool| {
        effects
            .iter()
            .any(|e| matches!(e, Effect::Steer(_, s) if wanted(s)))
    };
    match action {
        Action::Quit => effects.contains(&Effect::Quit),
        Action::Help => matches!(after.overlay, Some(Overlay::Help(0))),
        Action::Palette => matches!(after.overlay, Some(Overlay::Palette(..))),
        Action::ShowStart => after.screen == Screen::Start,
        Action::ShowRun => after.screen == Screen::Run,
        Action::ShowReport => after.screen == Screen::Report,
        Action::ShowLibrary => after.screen == Screen::Library,
        Action::Mouse => {
            effects.contains(&Effect::Mouse(after.mouse)) && after.mouse != before.mouse
        }
        Action::Theme => after.theme != before.theme,
        Action::Redraw => effects == [Effect::Redraw],
        // Nothing is being indexed, and the selected run has finished: it says so.
        Action::CancelJob | Action::Resume | Action::Clarify => after.message != before.message,
        // Where it leads depends on the place; that it leads nowhere by mistake is what the
        // property tests look for.
        Action::Back
        | Action::Next
        | Action::Previous
        | Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::PageUp
        | Action::PageDown
        | Action::First
        | Action::Last
        | Action::Open
        | Action::Zoom => true,
        Action::Ask => matches!(&effects[0], Effect::Ask { approve: false, .. }),
        Action::AskPaused => matches!(&effects[0], Effect::Ask { approve: true, .. }),
        Action::NextCorpus => {
            after.start.corpus == (before.start.corpus + 1) % before.start.corpora.len()
        }
        Action::NextWorkflow => {
            let one = before.start.workflows.len() < 2;
            one == (after.workflow() == before.workflow())
        }
        Action::AskAgain => {
            after.start.question.text() == before.start.runs[before.start.run].question
        }
        Action::Index | Action::IndexMore => field("Index"),
        Action::PullModel => field("Pull"),
        Action::Reload => effects == [Effect::LoadLists],
        Action::Pause => steers(|s| *s == Steering::Pause),
        Action::Approve => steers(|s| *s == Steering::Approve),
        Action::AddNode => field("Add"),
        Action::Reword => field("Reword(NodeId(1))"),
        Action::Prune => field("Prune(NodeId(1))"),
        Action::Rerun => steers(|s| matches!(s, Steering::Edit { .. })),
        Action::Budget => field("Budget"),
        Action::Distrust => field("Distrust"),
        Action::FinishNow => steers(|s| *s == Steering::FinishNow),
        Action::CancelRun | Action::Fork => matches!(after.overlay, Some(Overlay::Confirm(_))),
        Action::FollowUp | Action::ReportFollowUp => field("FollowUp"),
        Action::Tree => after.run.as_ref().unwrap().wants_tree,
        Action::NextQuote => after.reading.as_ref().unwrap().selected == Some(0),
        Action::PreviousQuote => {
            let reading = after.reading.as_ref().unwrap();
            reading.selected == Some(reading.citations.len() - 1)
        }
        Action::Find => after.reading.as_ref().unwrap().finding.is_some(),
        Action::Export => field("Export"),
        Action::Copy => {
            matches!(effects, [Effect::Copy(text)] if text.contains("Brisling Foundation"))
        }
        Action::Query => after.library.is_typing,
    }
}

#[test]
fn every_key_does_what_the_table_says() {
    for entry in ACTIONS {
        for screen in screens_of(entry.scope) {
            let before = on(*screen);
            for key in entry.keys {
                let mut after = before.clone();
                let key = Key::parse(key).unwrap();
                let effects = crate::tui::update::update(&mut after, Message::Key(key));
                assert!(
                    did(entry.action, &before, &after, &effects),
                    "{key} ({}) on {screen:?}: {effects:?}",
                    entry.name
                );
            }
        }
    }
}

#[test]
fn movement_leads_where_it_should() {
    let (mut stage, recording) = stage(120, 40);
    let mut press = |keys: &str| {
        stage.press(&recording, keys);
        stage.draw();
        stage.app().clone()
    };
    let run = |app: App| app.run.unwrap();
    // Panes in a circle, both ways.
    assert_eq!(run(press("2")).pane, Pane::Graph);
    assert_eq!(run(press("tab")).pane, Pane::Trail);
    assert_eq!(run(press("tab")).pane, Pane::Log);
    assert_eq!(run(press("tab")).pane, Pane::Graph);
    assert_eq!(run(press("backtab")).pane, Pane::Log);
    // Lines of the log; at its end it is followed.
    assert_eq!(run(press("home")).log_line, Some(0));
    assert_eq!(run(press("down")).log_line, Some(1));
    let page = run(press("pagedown")).log_line.unwrap();
    assert!(page > 2, "{page}");
    assert_eq!(run(press("pageup")).log_line, Some(1));
    assert_eq!(run(press("up")).log_line, Some(0));
    assert_eq!(run(press("end")).log_line, None);
    // One pane at a time, and back.
    assert!(run(press("z")).is_zoomed);
    assert!(!run(press("esc")).is_zoomed);
    // Boxes of the graph: what a part leads to is below it.
    let first = run(press("tab home")).selected;
    let below = run(press("down")).selected;
    assert_ne!(first, below);
    assert_eq!(run(press("up")).selected, first);
    // Rows and panes of the start screen.
    let start = press("1 esc").start;
    assert_eq!(start.pane, StartPane::Runs);
    assert_eq!(press("right").start.pane, StartPane::Corpora);
    assert_eq!(press("left").start.pane, StartPane::Runs);
    assert_eq!(press("up").start.pane, StartPane::Question);
    assert_eq!(press("down").start.pane, StartPane::Runs);
    // A quote opens in its document, and goes away again.
    assert!(press("3 ] enter").reading.unwrap().document.is_some());
    assert!(press("esc").reading.unwrap().document.is_none());
    // Enter opens the run that is selected.
    assert_eq!(press("1").start.pane, StartPane::Runs);
    let effects = stage.take(Message::Key(Key::parse("enter").unwrap()));
    assert!(
        effects.iter().any(|e| matches!(e, Effect::Watch { .. })),
        "{effects:?}"
    );
}

fn submit(screen: Screen, open: &str, text: &str) -> Vec<Effect> {
    let (mut stage, recording) = stage(120, 40);
    *stage.app_mut() = on(screen);
    stage.press(&recording, open);
    if let Some(Overlay::Field(_, editor)) = &mut stage.app_mut().overlay {
        editor.take();
    }
    stage.paste(text);
    stage.take(Message::Key(Key::parse("enter").unwrap()))
}

#[test]
fn fields_become_what_they_ask_for() {
    let steered = |open: &str, text: &str| match submit(Screen::Run, open, text).pop() {
        Some(Effect::Steer(_, steering)) => serde_json::to_value(steering).unwrap(),
        other => panic!("{open} {text}: {other:?}"),
    };
    let added = steered("a", "after q1: When was it sold?");
    assert_eq!(added["edits"][0]["text"], "When was it sold?");
    assert_eq!(added["edits"][0]["depends_on"][0], 1);
    assert_eq!(steered("w", "Other words?")["edits"][0]["node"], 1);
    assert_eq!(
        steered("x", "beside the point")["edits"][0]["reason"],
        "beside the point"
    );
    assert_eq!(steered("b", "queries=321")["change"]["queries"], 321);
    assert_eq!(
        steered("t", "vessels/lutra.md")["document"],
        "vessels/lutra.md"
    );
    assert_eq!(
        steered("u", "And who owns it now?")["question"],
        "And who owns it now?"
    );
    let asked = submit(Screen::Report, "u", "And who owns it now?");
    assert!(matches!(&asked[..], [Effect::Ask { corpus, .. }] if corpus == "coast"));
    let indexed = submit(Screen::Library, "i", "notes 'more notes'");
    assert!(matches!(&indexed[..], [Effect::Index { paths, .. }] if paths.len() == 2));
    let exported = submit(Screen::Report, "e", "out.csv");
    assert!(matches!(&exported[..], [Effect::Export { .. }]));
}

#[test]
fn what_cannot_be_done_is_said_and_the_field_stays() {
    for (screen, open, text) in [
        (Screen::Run, "b", "queries=lots"),
        (Screen::Run, "a", ""),
        (Screen::Report, "e", "report.docx"),
        (Screen::Report, "u", "?!"),
    ] {
        let (mut stage, recording) = stage(120, 40);
        *stage.app_mut() = on(screen);
        stage.press(&recording, open);
        if let Some(Overlay::Field(_, editor)) = &mut stage.app_mut().overlay {
            editor.take();
        }
        stage.paste(text);
        let effects = stage.take(Message::Key(Key::parse("enter").unwrap()));
        assert_eq!(effects, [], "{text}");
        assert!(
            matches!(stage.app().overlay, Some(Overlay::Field(..))),
            "{text}"
        );
        assert!(stage.app().message.is_some(), "{text}");
    }
}

#[test]
fn an_ended_run_is_not_steered_and_a_paste_is_no_command() {
    let (mut stage, recording) = stage(120, 40);
    for key in ["p", "a", "x", "f", "C", "b"] {
        stage.press(&recording, "2");
        assert_eq!(stage.take(Message::Key(Key::parse(key).unwrap())), []);
        assert!(stage.app().overlay.is_none(), "{key}");
    }
    stage.take(Message::Paste("q".repeat(1 << 20)));
    assert!(!stage.app().is_over);
    assert!(stage.app().message.is_some());
}

#[test]
fn a_megabyte_in_a_field_is_cut_and_said_to_be() {
    let (mut stage, recording) = stage(80, 24);
    stage.press(&recording, "1 backtab");
    stage.app_mut().start.pane = StartPane::Question;
    stage.take(Message::Paste("word\u{1b}[2J ".repeat(100_000)));
    let text = stage.app().start.question.text();
    assert!(text.len() <= crate::MAX_QUESTION_BYTES && !text.contains('\u{1b}'));
    assert!(stage.app().message.is_some());
    stage.draw();
}

#[test]
fn a_run_that_asks_back_is_answered() {
    let (mut stage, recording) = stage(120, 40);
    *stage.app_mut() = on(Screen::Run);
    let run = stage.app().run.as_ref().unwrap();
    let (id, seq) = (run.id.clone(), run.next_seq);
    let event = crate::tui::model::run::Numbered {
        seq,
        at_ms: 0,
        event: indago_core::Event::Clarifying {
            question: "Which Petrel?".to_owned(),
            options: vec!["the first".to_owned(), "Petrel II".to_owned()],
            assumed: "the first".to_owned(),
        },
    };
    stage.take(Message::reply(crate::tui::model::Reply::Events(
        id,
        vec![event],
    )));
    stage.draw();
    assert!(
        stage
            .lines()
            .join("\n")
            .contains("Which Petrel? (i answers; else: the first)")
    );
    stage.press(&recording, "i ctrl-u");
    stage.paste("Petrel II");
    let effects = stage.take(Message::Key(Key::parse("enter").unwrap()));
    let reading = "Petrel II".to_owned();
    assert!(
        matches!(&effects[..], [Effect::Steer(_, Steering::Clarify { reading: r })] if *r == reading)
    );
}

#[test]
fn a_workflow_is_picked_and_asked_with() {
    let (mut stage, recording) = stage(120, 40);
    stage.app_mut().start.workflows.push(by_model());
    stage.press(&recording, "1 ctrl-g");
    stage.draw();
    let shown = stage.lines().join("\n");
    assert!(
        shown.contains("workflow 2/2 (ctrl-g) tiny / interleave"),
        "{shown}"
    );
    stage.paste("Who built it?");
    let effects = stage.take(Message::Key(Key::parse("enter").unwrap()));
    assert!(
        matches!(&effects[..], [Effect::Ask { workflow, .. }] if *workflow == by_model()),
        "{effects:?}"
    );
    stage.press(&recording, "ctrl-g");
    assert_eq!(stage.app().workflow(), Workflow::Extractive);
}

#[test]
fn what_models_write_and_cost_is_shown_and_goes_with_them() {
    let (mut stage, _) = stage(120, 40);
    *stage.app_mut() = on(Screen::Run);
    let run = stage.app().run.as_ref().unwrap();
    let (id, seq) = (run.id.clone(), run.next_seq);
    let event = crate::tui::model::run::Numbered {
        seq,
        at_ms: 0,
        event: indago_core::Event::Called {
            node: None,
            purpose: "read".to_owned(),
            model: "tiny".to_owned(),
            prompt: 400,
            cached: 300,
            completion: 20,
            money_micros: 0,
            error: None,
        },
    };
    let events = crate::tui::model::Reply::Events(id.clone(), vec![event]);
    stage.take(Message::reply(events));
    let call = crate::tui::model::run::Call {
        title: "tiny · write/1".to_owned(),
        text: "The ship was built by ".repeat(40) + "the yard at Hamarvik",
    };
    stage.take(Message::reply(crate::tui::model::Reply::Calls(
        id.clone(),
        vec![call],
    )));
    stage.draw();
    let shown = stage.lines().join("\n");
    for text in [
        "in flight 1",
        "reused ",
        "75%",
        "tiny · write/1",
        "Hamarvik",
    ] {
        assert!(shown.contains(text), "{text}:\n{shown}");
    }
    stage.take(Message::reply(crate::tui::model::Reply::Calls(
        id,
        Vec::new(),
    )));
    stage.draw();
    let shown = stage.lines().join("\n");
    assert!(shown.contains("in flight 0") && !shown.contains("Hamarvik"));
}

#[test]
fn indexing_is_shown_and_stopped() {
    let (mut stage, _) = stage(120, 40);
    let job = crate::tui::model::Job {
        name: "coast".to_owned(),
        what: "making vectors".to_owned(),
        done: 50,
        total: 200,
        is_stopping: false,
    };
    stage.take(Message::reply(crate::tui::model::Reply::Job(Some(job))));
    stage.draw();
    assert!(
        stage
            .lines()
            .last()
            .unwrap()
            .contains("25% coast: making vectors  ctrl-x stops  3 report")
    );
    // One thing at a time: a download is not begun, and why is said.
    stage.take(Message::Key(Key::parse("D").unwrap()));
    stage.paste("acme/tiny");
    assert_eq!(stage.take(Message::Key(Key::parse("enter").unwrap())), []);
    let said = stage.app().message.clone().unwrap().text;
    assert_eq!(said, "coast is under way: ctrl-x stops it");
    stage.take(Message::Key(Key::parse("esc").unwrap()));
    let effects = stage.take(Message::Key(Key::parse("ctrl-x").unwrap()));
    assert_eq!(effects, [Effect::CancelJob]);
    // Leaving meanwhile asks first.
    assert_eq!(stage.take(Message::Key(Key::parse("q").unwrap())), []);
    let effects = stage.take(Message::Key(Key::parse("y").unwrap()));
    assert_eq!(effects, [Effect::Quit]);
}

#[test]
fn a_download_is_asked_for_by_name() {
    let (mut stage, _) = stage(120, 40);
    stage.app_mut().screen = Screen::Library;
    stage.take(Message::Key(Key::parse("D").unwrap()));
    stage.take(Message::Key(Key::parse("enter").unwrap()));
    assert!(
        stage.app().message.is_some(),
        "an empty name is said to be one"
    );
    stage.paste(" acme/tiny ");
    let effects = stage.take(Message::Key(Key::parse("enter").unwrap()));
    assert_eq!(effects, [Effect::Pull("acme/tiny".to_owned())]);
}

#[test]
fn clicks_select_and_open() {
    let (mut stage, recording) = stage(120, 40);
    stage.press(&recording, "3 ]");
    stage.draw();
    let place = stage.app().sight.targets.iter().find_map(|(area, target)| {
        matches!(target, crate::tui::model::Target::Citation(_)).then_some(*area)
    });
    let place = place.unwrap();
    let effects = stage.take(Message::Click(place.x + 3, place.y));
    assert!(
        matches!(effects[..], [Effect::OpenDocument { .. }]),
        "{effects:?}"
    );
}

#[test]
fn purposes_have_names_in_the_record() {
    // What a field is for is matched by name above; a new purpose has to be looked at there.
    assert_eq!(format!("{:?}", Purpose::FollowUp), "FollowUp");
}
