//! Every screen at three sizes, from a recorded run.

use super::stage;
use crate::tui::charset::{Charset, Depth};
use crate::tui::stage::Stage;
use crate::tui::theme::ThemeName;
use crate::tui::update::Message;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn snap(name: &str, prepare: impl Fn(&mut Stage, &super::Recording)) {
    for (width, height) in SIZES {
        let (mut stage, recording) = stage(width, height);
        prepare(&mut stage, &recording);
        stage.draw();
        let text = stage.lines().join("\n");
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text);
    }
}

#[test]
fn start() {
    snap("start", |stage, recording| {
        stage.press(recording, "1");
        stage.paste("Which yard built RV Alma Thorsen?");
    });
}

#[test]
fn run_under_way() {
    for (width, height) in SIZES {
        let recording = super::recording();
        let mut stage = Stage::new(width, height, ThemeName::Dark, Charset::default());
        stage.tell_lists(&recording);
        stage.tell_events(&recording, recording.n_events() / 2);
        stage.draw();
        let text = stage.lines().join("\n");
        insta::assert_snapshot!(format!("run_under_way_{width}x{height}"), text);
    }
}

#[test]
fn run_finished_with_a_trail() {
    snap("run_trail", |stage, recording| {
        stage.press(recording, "2 up tab end z");
    });
}

#[test]
fn run_as_a_tree_with_its_log() {
    snap("run_tree", |stage, recording| {
        stage.press(recording, "2 g backtab up up up");
    });
}

#[test]
fn report() {
    snap("report", |stage, recording| stage.press(recording, "3"));
}

#[test]
fn report_with_a_quote_in_its_document() {
    snap("report_document", |stage, recording| {
        stage.press(recording, "3 ] enter");
    });
}

#[test]
fn library_passages() {
    snap("library", |stage, recording| {
        stage.press(recording, "4 enter enter");
    });
}

#[test]
fn library_query() {
    snap("library_query", |stage, recording| {
        stage.press(recording, "4 /");
        stage.paste("Who built the ship?");
        stage.press(recording, "enter");
    });
}

#[test]
fn run_by_a_model_that_writes() {
    use crate::tui::model::{Reply, run::Call};
    for (width, height) in SIZES {
        let recording = super::recording();
        let mut stage = Stage::new(width, height, ThemeName::Dark, Charset::default());
        stage.tell_lists(&recording);
        stage.tell_events(&recording, recording.n_events() / 2);
        let id = stage.app().run.as_ref().unwrap().id.clone();
        let call = |step: &str, text: &str| Call {
            title: format!("tiny · {step}"),
            text: text.to_owned(),
        };
        let text = "The grant FJORDMIX bought the vehicle Lutra 2, which Varga Oceanics made. ";
        let calls = vec![call("judge/2", ""), call("write/1", &text.repeat(6))];
        stage.take(Message::reply(Reply::Calls(id, calls)));
        stage.draw();
        let text = stage.lines().join("\n");
        insta::assert_snapshot!(format!("run_writing_{width}x{height}"), text);
    }
}

#[test]
fn run_by_a_model_as_it_was_recorded() {
    for (width, height) in SIZES {
        let recording = super::model_recording();
        let snap = |name: &str, events: usize, keys: &str| {
            let mut stage = Stage::new(width, height, ThemeName::Dark, Charset::default());
            stage.tell_lists(&recording);
            stage.tell_events(&recording, events);
            stage.press(&recording, keys);
            stage.draw();
            let text = stage.lines().join("\n");
            insta::assert_snapshot!(format!("model_{name}_{width}x{height}"), text);
        };
        snap("reading", recording.busiest(), "");
        snap("writing", recording.last_call(), "");
        snap("trail", usize::MAX, "2 down tab end");
        snap("report", usize::MAX, "3");
    }
}

#[test]
fn questions_over_a_screen_and_long_work() {
    snap("confirm", |stage, recording| {
        stage.press(recording, "2 F");
    });
    snap("indexing", |stage, recording| {
        stage.press(recording, "4");
        let job = crate::tui::model::Job {
            name: "coast".to_owned(),
            what: "making vectors".to_owned(),
            done: 50,
            total: 200,
            is_stopping: false,
        };
        stage.take(Message::reply(crate::tui::model::Reply::Job(Some(job))));
    });
    snap("empty", |stage, _| {
        *stage = Stage::new(
            stage.draw().area.width,
            stage.draw().area.height,
            ThemeName::Dark,
            Charset::default(),
        );
    });
}

#[test]
fn help_palette_and_field() {
    snap("help", |stage, recording| stage.press(recording, "2 ?"));
    snap("palette", |stage, recording| {
        stage.press(recording, "2 : f o");
    });
    snap("field", |stage, recording| stage.press(recording, "3 e"));
}

#[test]
fn without_unicode_or_colour_and_in_small_windows() {
    let recording = super::recording();
    let plain = Charset {
        unicode: false,
        depth: Depth::None,
    };
    for (width, height) in [(80, 24), (40, 12), (30, 8), (10, 5), (1, 1)] {
        let mut stage = Stage::new(width, height, ThemeName::Mono, plain);
        stage.tell_lists(&recording);
        stage.tell_events(&recording, usize::MAX);
        stage.draw();
        let text = stage.lines().join("\n");
        assert!(text.is_ascii(), "{text}");
        insta::assert_snapshot!(format!("plain_{width}x{height}"), text);
    }
}
