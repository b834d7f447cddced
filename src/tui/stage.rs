//! The interface without a terminal: what pictures, benchmarks and tests drive.
//!
//! A [`Recording`] is a real run with what the interface asks about it, as the engine answered; a
//! [`Stage`] plays it to the interface and draws frames into a buffer.

use std::sync::Arc;

use indago_core::ports::RunStatus;
use indago_core::{Budget, Cancel, Event, NodeId, Report, RunId};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use super::charset::Charset;
use super::keymap::{Key, KeyMap};
use super::model::library::{CorpusRow, DocumentRow, HitList, PassageRow};
use super::model::report::OpenDocument;
use super::model::run::{Call, Detail, Numbered};
use super::model::{App, Effect, Reply};
use super::screens::View;
use super::theme::ThemeName;
use super::update::{Message, update};
use super::{journal, library};
use crate::{Compute, Error, Project, Runs};

/// Hits of each retriever that are recorded, and bytes of each text.
const HITS: usize = 8;
const HIT_BYTES: usize = 400;
/// Documents that are recorded.
const DOCUMENTS: usize = 60;
/// Bytes of what a model writes that are recorded.
const CALL_BYTES: usize = 1_500;
/// How long after its beginning a run is looked at, in milliseconds.
const LATER_MS: u64 = 60_000;

/// A run, and the answers to what the interface asks about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recording {
    status: RunStatus,
    budget: Budget,
    events: Vec<(u64, Event)>,
    details: Vec<(NodeId, Detail)>,
    report: Report,
    runs: Vec<RunStatus>,
    corpora: Vec<CorpusRow>,
    documents: Vec<DocumentRow>,
    passages: Vec<PassageRow>,
    lists: Vec<HitList>,
    open: OpenDocument,
    /// Calls of models under way after so many events.
    #[serde(default)]
    calls: Vec<(usize, Vec<Call>)>,
}

/// What models write during a run, as somebody sees it who watches.
#[derive(Debug)]
pub struct Watched {
    runs: Runs,
    run: RunId,
    n_events: usize,
    calls: Vec<(usize, Vec<Call>)>,
}

impl Watched {
    /// Nothing seen yet of a run that is under way.
    ///
    /// # Errors
    /// When the project's record cannot be read.
    pub fn begin(project: &Project, run: &RunId) -> Result<Self, Error> {
        Ok(Self {
            runs: Runs::open(project)?,
            run: run.clone(),
            n_events: 0,
            calls: Vec::new(),
        })
    }

    /// Looks once; to be called again and again. Of each moment between two events the one with the
    /// most text stays.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn look(&mut self) -> Result<(), Error> {
        let from = self.n_events as u64;
        self.n_events += journal::events(&self.runs, &self.run, from, usize::MAX)?.len();
        let mut now = journal::calls(&self.runs, &self.run);
        for call in &mut now {
            let at = call.text.len().saturating_sub(CALL_BYTES);
            let at = (at..call.text.len()).find(|at| call.text.is_char_boundary(*at));
            call.text.drain(..at.unwrap_or(0));
        }
        let length = |calls: &[Call]| -> usize {
            calls
                .iter()
                .map(|call| call.title.len() + call.text.len())
                .sum()
        };
        match self.calls.last_mut() {
            Some((n, known)) if *n == self.n_events => {
                if length(&now) > length(known) {
                    *known = now;
                }
            }
            _ => self.calls.push((self.n_events, now)),
        }
        Ok(())
    }
}

impl Recording {
    /// Records a finished run of a project, and one query against its corpus.
    ///
    /// # Errors
    /// When the run has no report, quotes nothing, or something cannot be read.
    pub fn of(project: &Project, run: &RunId, query: &str) -> Result<Self, Error> {
        let runs = Runs::open(project)?;
        let (status, budget) = journal::status(&runs, run)?;
        let (report, name) = journal::report(&runs, run)?;
        let corpus = crate::open(project, &name)?;
        let events = journal::events(&runs, run, 0, usize::MAX)?;
        let details: Result<Vec<_>, Error> = (0..report.graph.nodes.len() as u32)
            .map(|n| {
                Ok((
                    NodeId(n),
                    journal::detail(&runs, run, NodeId(n), Some(&corpus))?,
                ))
            })
            .collect();
        let quote = report
            .sections
            .iter()
            .flat_map(|section| &section.claims)
            .find_map(|claim| claim.quotes().first())
            .ok_or_else(|| Error::NoDocument("any: the report quotes nothing".to_owned()))?;
        let place = (quote.start, quote.end);
        let document = quote.document.as_str().to_owned();
        let mut lists = library::search(&corpus, query, &Compute::cpu(), &Cancel::new());
        for list in &mut lists {
            // A time of this machine says nothing in a picture.
            list.took_ms = 1;
            if let Ok(hits) = &mut list.hits {
                hits.truncate(HITS);
                for hit in hits {
                    hit.text = super::text::clean_bounded(&hit.text, HIT_BYTES);
                }
            }
        }
        let mut documents = library::documents(&corpus)?.0;
        documents.truncate(DOCUMENTS);
        let mut passages = library::passages(&corpus, &document)?;
        passages.truncate(HITS);
        Ok(Self {
            calls: Vec::new(),
            open: library::document(Some(&corpus), None, &document, place)?,
            runs: journal::runs(&runs)?,
            corpora: library::corpora(project)?,
            events: events.into_iter().map(|e| (e.at_ms, e.event)).collect(),
            details: details?,
            documents,
            passages,
            lists,
            status,
            budget,
            report,
        })
    }

    /// The same with what models wrote meanwhile.
    #[must_use]
    pub fn with_calls(mut self, watched: Watched) -> Self {
        self.calls = watched.calls;
        self
    }

    /// How many events there were when most was being written.
    pub fn busiest(&self) -> usize {
        let length = |calls: &[Call]| calls.iter().map(|call| call.text.len()).sum::<usize>();
        let most = self
            .calls
            .iter()
            .max_by_key(|(_, calls)| (calls.len().min(2), length(calls)));
        most.map_or(self.events.len() / 2, |(n, _)| *n)
    }

    /// How many events there were when the last call was under way.
    pub fn last_call(&self) -> usize {
        let mut written = self.calls.iter().rev();
        let last = written.find(|(_, calls)| calls.iter().any(|call| !call.text.is_empty()));
        last.map_or(self.events.len(), |(n, _)| *n)
    }

    /// Its events.
    pub fn n_events(&self) -> usize {
        self.events.len()
    }

    /// Milliseconds from its beginning to an event.
    pub fn after_ms(&self, event: usize) -> u64 {
        let at = self.events.get(event).map_or(0, |(at, _)| *at);
        at.saturating_sub(self.status.started_ms)
    }
}

/// An interface that draws into a buffer.
#[derive(Debug)]
pub struct Stage {
    app: App,
    view: View,
    buffer: Buffer,
}

impl Stage {
    /// An interface of a size, before anything is told.
    pub fn new(width: u16, height: u16, theme: ThemeName, charset: Charset) -> Self {
        let mut app = App::new("examples", None, KeyMap::default(), theme);
        app.now_ms = 1;
        Self {
            app,
            view: View::new(charset),
            buffer: Buffer::empty(Rect::new(0, 0, width, height)),
        }
    }

    /// Tells runs and corpora.
    pub fn tell_lists(&mut self, recording: &Recording) {
        self.app.now_ms = recording.status.started_ms + LATER_MS;
        self.reply(Reply::Lists {
            runs: recording.runs.clone(),
            corpora: recording.corpora.clone(),
        });
    }

    /// Tells a run's first `n` events; all of them, and its report, once `n` reaches them all.
    pub fn tell_events(&mut self, recording: &Recording, n: usize) {
        let id = recording.status.id.clone();
        let is_whole = n >= recording.events.len();
        let mut status = recording.status.clone();
        if !is_whole {
            status.state = indago_core::RunState::Running;
            status.ended_ms = None;
        }
        self.reply(Reply::Opened {
            id: id.clone(),
            question: status.question.clone(),
            corpus: status.corpus.clone(),
            budget: recording.budget,
        });
        let events = recording.events.iter().take(n).enumerate();
        let numbered = events.map(|(seq, (at_ms, event))| Numbered {
            seq: seq as u64,
            at_ms: *at_ms,
            event: event.clone(),
        });
        let numbered: Vec<Numbered> = numbered.collect();
        self.app.now_ms = numbered.last().map_or(status.started_ms, |last| last.at_ms);
        for effect in self.take(Message::reply(Reply::Events(id.clone(), numbered))) {
            let Effect::LoadDetail(run, node) = effect else {
                continue;
            };
            let known = recording.details.iter().find(|(n, _)| *n == node);
            if let Some((_, detail)) = known {
                self.reply(Reply::Detail(run, node, detail.clone()));
            }
        }
        self.reply(Reply::Status(status));
        if !is_whole {
            let known = recording.calls.iter().rev().find(|(after, _)| *after <= n);
            let calls = known.map_or_else(Vec::new, |(_, calls)| calls.clone());
            self.reply(Reply::Calls(id, calls));
        }
        if is_whole {
            let report = Arc::new(recording.report.clone());
            self.reply(Reply::Report(report, recording.status.corpus.clone()));
            self.app.message = None;
        }
    }

    /// Presses keys, written as in the settings, and answers what the interface asks for from the
    /// recording.
    pub fn press(&mut self, recording: &Recording, keys: &str) {
        for key in keys.split_whitespace().filter_map(Key::parse) {
            self.draw();
            for effect in self.take(Message::Key(key)) {
                self.answer(recording, effect);
            }
        }
        self.app.message = None;
    }

    /// Types text.
    pub fn paste(&mut self, text: &str) {
        self.take(Message::Paste(text.to_owned()));
    }

    fn answer(&mut self, recording: &Recording, effect: Effect) {
        let reply = match effect {
            Effect::OpenDocument { .. } => Reply::Document(recording.open.clone()),
            Effect::LoadDocuments(name) => Reply::Documents(name, recording.documents.clone(), 0),
            Effect::LoadPassages { .. } => Reply::Passages(recording.passages.clone()),
            Effect::Search { query, .. } => Reply::Hits(query, recording.lists.clone()),
            Effect::LoadLists => return self.tell_lists(recording),
            _ => return,
        };
        self.reply(reply);
    }

    fn reply(&mut self, reply: Reply) {
        self.take(Message::reply(reply));
    }

    pub(super) fn take(&mut self, message: Message) -> Vec<Effect> {
        update(&mut self.app, message)
    }

    /// Another size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.buffer = Buffer::empty(Rect::new(0, 0, width, height));
        self.take(Message::Resized);
    }

    /// Draws a frame.
    pub fn draw(&mut self) -> &Buffer {
        self.buffer.reset();
        self.app.sight = self.view.draw(&self.app, &mut self.buffer);
        &self.buffer
    }

    /// The last frame as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let width = usize::from(self.buffer.area.width.max(1));
        let rows = self.buffer.content.chunks(width);
        rows.map(|row| {
            let mut line = String::new();
            let mut covered = 0;
            for cell in row {
                // A wide character covers the cell behind it.
                if covered > 0 {
                    covered -= 1;
                    continue;
                }
                line.push_str(cell.symbol());
                covered = super::text::columns(cell.symbol()).saturating_sub(1);
            }
            line.trim_end().to_owned()
        })
        .collect()
    }

    #[cfg(test)]
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    #[cfg(test)]
    pub(super) fn app_mut(&mut self) -> &mut App {
        &mut self.app
    }

    /// Fills the run screen with a plan of `n` questions in layers, each waiting for up to two
    /// above it: what benchmarks draw. Events after the first `n` change states.
    pub fn crowd(&mut self, n: u32) {
        let id = RunId::new("crowd");
        self.reply(Reply::Opened {
            id: id.clone(),
            question: "How does a large plan look?".to_owned(),
            corpus: "none".to_owned(),
            budget: Budget::STANDARD,
        });
        let started = Event::Started {
            question: "How does a large plan look?".to_owned(),
            corpus: "none".to_owned(),
        };
        let added = (1..n).map(|i| Event::Edited {
            edit: indago_core::GraphEdit::Add {
                text: format!("What is known about part {i} of the plan?"),
                reason: "part of the plan".to_owned(),
                depends_on: [i / 2, i / 3]
                    .into_iter()
                    .filter(|on| *on > 0)
                    .map(NodeId)
                    .collect(),
            },
            node: Some(NodeId(i)),
        });
        let events: Vec<Numbered> = std::iter::once(started)
            .chain(added)
            .enumerate()
            .map(|(seq, event)| Numbered {
                seq: seq as u64,
                at_ms: 1_000 + seq as u64,
                event,
            })
            .collect();
        self.reply(Reply::Events(id, events));
    }

    /// Tells the crowd's next event: a node is added that waits for another.
    pub fn grow(&mut self) {
        let Some(run) = &self.app.run else { return };
        let (seq, n) = (run.next_seq, run.nodes.len() as u32);
        let edit = indago_core::GraphEdit::Add {
            text: format!("What is known about part {n} of the plan?"),
            reason: "part of the plan".to_owned(),
            depends_on: vec![NodeId(n / 2)],
        };
        let event = Numbered {
            seq,
            at_ms: 2_000 + seq,
            event: Event::Edited {
                edit,
                node: Some(NodeId(n)),
            },
        };
        self.reply(Reply::Events(RunId::new("crowd"), vec![event]));
    }

    /// Tells the crowd's next event: a node changes its state.
    pub fn stir(&mut self) {
        let Some(run) = &self.app.run else { return };
        let seq = run.next_seq;
        let node = NodeId((seq % run.nodes.len().max(1) as u64) as u32);
        let state = match seq % 3 {
            0 => indago_core::NodeState::Ready,
            1 => indago_core::NodeState::Running,
            _ => indago_core::NodeState::Answered,
        };
        let event = Numbered {
            seq,
            at_ms: 2_000 + seq,
            event: Event::Moved { node, state },
        };
        self.reply(Reply::Events(RunId::new("crowd"), vec![event]));
    }
}
