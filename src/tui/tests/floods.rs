//! Whatever comes, in whatever order: no panic, no event lost, bounded memory.

use indago_core::{Event, NodeId, NodeState, PassageId, RunId};
use proptest::prelude::*;

use super::stage;
use crate::tui::keymap::{ACTIONS, Key};
use crate::tui::model::run::{MAX_NODES, Numbered};
use crate::tui::model::{Reply, Screen};
use crate::tui::update::Message;

#[derive(Clone, Debug)]
enum Step {
    Key(usize),
    Type(char),
    Paste(String),
    Resize(u16, u16),
    Click(u16, u16),
    Wheel(isize),
    Screen(usize),
    Events(Vec<(u8, u32, String)>),
    Tick(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let keys: usize = ACTIONS.iter().map(|entry| entry.keys.len()).sum();
    prop_oneof![
        8 => (0..keys).prop_map(Step::Key),
        2 => any::<char>().prop_map(Step::Type),
        1 => any::<String>().prop_map(Step::Paste),
        2 => (1u16..230, 1u16..70).prop_map(|(w, h)| Step::Resize(w, h)),
        1 => (0u16..230, 0u16..70).prop_map(|(x, y)| Step::Click(x, y)),
        1 => (-3isize..4).prop_map(Step::Wheel),
        2 => (0usize..4).prop_map(Step::Screen),
        3 => prop::collection::vec((any::<u8>(), 0u32..80, any::<String>()), 0..20).prop_map(Step::Events),
        1 => (0u64..1 << 50).prop_map(Step::Tick),
    ]
}

fn event((kind, node, text): (u8, u32, String)) -> Event {
    let node = NodeId(node);
    match kind % 6 {
        0 => Event::Warned { message: text },
        1 => Event::Moved {
            node,
            state: [
                NodeState::Ready,
                NodeState::Running,
                NodeState::Answered,
                NodeState::Pruned,
            ][usize::from(kind / 64)],
        },
        2 => Event::Quoted {
            node,
            passage: PassageId([0; 16]),
            text,
        },
        3 => Event::Edited {
            edit: indago_core::GraphEdit::Add {
                text,
                reason: String::new(),
                depends_on: vec![NodeId(u32::from(kind) / 2)],
            },
            node: Some(node),
        },
        4 => Event::Searched {
            node,
            round: u32::from(kind),
            queries: vec![text],
            new_passages: node.0,
        },
        _ => Event::Dropped {
            claim: text.clone(),
            reason: text,
        },
    }
}

fn nth_key(n: usize) -> Key {
    let mut keys = ACTIONS.iter().flat_map(|entry| entry.keys);
    Key::parse(keys.nth(n).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_keys_sizes_and_events_never_panic_and_lose_nothing(steps in prop::collection::vec(step(), 1..120)) {
        let (mut stage, recording) = stage(80, 24);
        let run = stage.app().run.as_ref().unwrap();
        let (id, mut sent) = (run.id.clone(), run.next_seq);
        for step in steps {
            match step {
                // Leaving and asking anew are effects; nothing here performs them.
                Step::Key(n) => stage.press(&recording, &nth_key(n).to_string()),
                Step::Type(c) => { stage.take(Message::Key(Key::parse(&c.to_string()).unwrap())); }
                Step::Paste(text) => stage.paste(&text),
                Step::Resize(w, h) => stage.resize(w, h),
                Step::Click(x, y) => { stage.take(Message::Click(x, y)); }
                Step::Wheel(by) => { stage.take(Message::Wheel(by, 3, 3)); }
                Step::Screen(n) => stage.app_mut().screen = [Screen::Start, Screen::Run, Screen::Report, Screen::Library][n],
                Step::Tick(ms) => { stage.take(Message::Tick(ms)); }
                Step::Events(raw) => {
                    let events: Vec<Numbered> = raw.into_iter().enumerate().map(|(i, raw)| Numbered {
                        seq: sent + i as u64,
                        at_ms: sent,
                        event: event(raw),
                    }).collect();
                    sent += events.len() as u64;
                    stage.take(Message::reply(Reply::Events(id.clone(), events)));
                }
            }
            stage.draw();
        }
        prop_assert_eq!(stage.app().run.as_ref().unwrap().next_seq, sent);
    }
}

#[test]
fn a_hundred_thousand_events_between_resizes_are_all_taken_in() {
    let (mut stage, _) = stage(120, 40);
    let id = RunId::new("flood");
    stage.take(Message::reply(Reply::Opened {
        id: id.clone(),
        question: "?".to_owned(),
        corpus: "c".to_owned(),
        budget: indago_core::Budget::STANDARD,
    }));
    let mut seq = 0;
    while seq < 100_000 {
        let batch: Vec<Numbered> = (seq..seq + 250)
            .map(|seq| Numbered {
                seq,
                at_ms: seq,
                event: event(((seq % 251) as u8, (seq % 60) as u32, format!("text {seq}"))),
            })
            .collect();
        seq += 250;
        // Told twice, as after a reconnect: counted once.
        stage.take(Message::reply(Reply::Events(id.clone(), batch.clone())));
        stage.take(Message::reply(Reply::Events(id.clone(), batch)));
        if seq % 10_000 == 0 {
            stage.resize(20 + (seq / 1000) as u16, 10 + (seq / 4000) as u16);
            stage.draw();
        }
    }
    let run = stage.app().run.as_ref().unwrap();
    assert_eq!((run.next_seq, run.log.total()), (100_000, 100_000));
    assert!(run.log.iter().len() <= 2_000 && run.nodes.len() <= MAX_NODES);
    // Edges are bounded by what can be drawn, whatever is told.
    assert!(run.edges.len() <= crate::tui::model::run::MAX_EDGES);
}

#[test]
fn a_gap_is_asked_for_again() {
    let (mut stage, _) = stage(80, 24);
    let run = stage.app().run.as_ref().unwrap();
    let (id, next) = (run.id.clone(), run.next_seq);
    let late = Numbered {
        seq: next + 5,
        at_ms: 0,
        event: Event::Warned {
            message: String::new(),
        },
    };
    let effects = stage.take(Message::reply(Reply::Events(id.clone(), vec![late])));
    assert!(
        matches!(&effects[..], [crate::tui::model::Effect::Watch { run, from }] if *run == id && *from == next)
    );
}

#[test]
fn a_reader_is_not_scrolled() {
    let (mut stage, recording) = stage(120, 40);
    stage.press(&recording, "2 tab tab up up up up");
    let held = stage.app().run.as_ref().unwrap().log_line;
    assert!(held.is_some());
    stage.draw();
    let before = stage.lines();
    let run = stage.app().run.as_ref().unwrap();
    let (id, next) = (run.id.clone(), run.next_seq);
    let events = (0..500).map(|i| Numbered {
        seq: next + i,
        at_ms: u64::MAX / 2,
        event: Event::Warned {
            message: format!("news {i}"),
        },
    });
    stage.take(Message::reply(Reply::Events(id, events.collect())));
    stage.draw();
    assert_eq!(stage.app().run.as_ref().unwrap().log_line, held);
    let shown = |lines: &[String]| lines[lines.len() - 5..].join("\n");
    // The line in the middle of the log is the same one.
    let middle = &before[before.len() - 5];
    assert!(
        shown(&stage.lines()).contains(middle.trim()) || stage.lines().contains(middle),
        "{middle}"
    );
}
