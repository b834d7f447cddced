//! `indago eval`: figures on data with known answers, with what they were made from.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use indago_core::Cancel;
use indago_retriever::metrics::Measure;
use serde::Serialize;
use serde_json::json;

use super::args::{EvalArgs, EvalCommand, EvalData};
use super::ask::suit_models;
use super::printer::Printer;
use super::progress::{Meter, Unit};
use super::settings::Settings;
use super::{Exit, reasoner};
use crate::eval::ask::Asking;
use crate::eval::data::{self, Changes, Dataset};
use crate::eval::retrieval::Comparing;
use crate::eval::{Half, Workplace, ask, retrieval};
use crate::{AskSettings, Error, ModelReasoner, Progress, wire};

pub(super) fn run(
    args: &EvalArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    let (EvalCommand::Retrieval { data, .. } | EvalCommand::Ask { data, .. }) = &args.command;
    let evaluation = Evaluation {
        sets: data::read(&data.data, &data.sets)?,
        workplace: Workplace::new(data.work.as_deref())?,
        data,
        threads: settings.threads.value,
        json,
        printer,
        cancel,
    };
    match &args.command {
        EvalCommand::Retrieval { measure, .. } => evaluation.retrieval(*measure),
        EvalCommand::Ask {
            without_gold,
            model,
            search_loop,
            lm_calls,
            ..
        } => {
            let mut ask = AskSettings::default();
            let mut open = None;
            // Only where it is asked for here: each question may cost money.
            if let Some(model) = model {
                let name = search_loop.as_deref().unwrap_or(crate::DEFAULT_LOOP);
                let chosen = reasoner::named(model, name, None)?;
                ask.plan = chosen.plan;
                ask.budget.lm_calls = *lm_calls;
                suit_models(&mut ask, settings);
                open = Some(reasoner::open(settings, chosen.choice, true)?);
            }
            let answered_by = open.as_ref().map(|open| open.reasoner.clone());
            let exit = evaluation.ask(*without_gold, answered_by, &ask);
            if let Some(open) = &open {
                open.note(printer);
            }
            exit
        }
    }
}

struct Evaluation<'a> {
    sets: Vec<Dataset>,
    workplace: Workplace,
    data: &'a EvalData,
    threads: usize,
    json: bool,
    printer: Printer,
    cancel: &'a Cancel,
}

impl Evaluation<'_> {
    fn retrieval(&self, measure: Measure) -> anyhow::Result<Exit> {
        let mut names = self.data.retrievers.clone();
        if names.is_empty() {
            names = ["bm25", "dense", "fused", "graph"]
                .map(str::to_owned)
                .to_vec();
        }
        // The baseline comes first, so that all others are compared with it.
        let baseline = self.data.baseline.as_str();
        names.sort_by_key(|name| name != baseline);
        let comparing = Comparing { baseline, measure };
        let (half, limit) = (self.data.half, self.data.limit);
        let mut all = Vec::new();
        let mut lines = Vec::new();
        for set in &self.sets {
            let project = self.prepare(set, &BTreeSet::new())?;
            let scored =
                retrieval::score(&project, set, half, limit, &names, comparing, self.cancel)?;
            for (scores, run) in scored {
                if let Some(folder) = &self.data.runs {
                    retrieval::write_trec(folder, set, half, &scores.retriever, &run)?;
                }
                for (query, ranked) in run {
                    let ranked: Vec<_> = ranked.into_iter().map(|(document, _)| document).collect();
                    lines.push(json!({
                        "set": scores.set, "retriever": scores.retriever, "_id": query,
                        "documents": ranked,
                    }));
                }
                all.push(scores);
            }
            // A table that grows is worth more than one that comes all at once after an hour.
            self.printer.note(&format!("scored {}", set.name));
        }
        self.per_question(&lines)?;
        self.publish("retrieval", &all, &retrieval::table(&all, comparing))
    }

    fn ask(
        &self,
        without_gold: bool,
        reasoner: Option<ModelReasoner>,
        settings: &AskSettings,
    ) -> anyhow::Result<Exit> {
        let mut asking = Asking {
            half: self.data.half,
            limit: self.data.limit,
            gone: false,
            threads: self.threads,
            reasoner,
            settings: settings.clone(),
        };
        let mut all = Vec::new();
        let mut lines = Vec::new();
        for set in &self.sets {
            let mut variants = vec![(set.name.clone(), BTreeSet::new())];
            if without_gold {
                // The gold of all questions goes, so that one index serves them all.
                let half = self.data.half;
                let gold = set
                    .questions
                    .iter()
                    .filter(|q| q.is_in(half))
                    .flat_map(|q| &q.gold);
                variants.push((
                    format!("{}, gold removed", set.name),
                    gold.cloned().collect(),
                ));
            }
            for (name, without) in variants {
                asking.gone = !without.is_empty();
                let project = self.prepare(set, &without)?;
                let unit = Unit::Things("questions");
                let mut meter: Option<Meter> = None;
                let asked = ask::ask_all(
                    &project,
                    set,
                    &asking,
                    &mut |done, of| {
                        meter
                            .get_or_insert_with(|| {
                                Meter::start(self.printer, "asking", unit, of as u64)
                            })
                            .set(done as u64);
                    },
                    self.cancel,
                )?;
                drop(meter);
                for one in &asked {
                    let mut line = serde_json::to_value(one)?;
                    line["set"] = json!(name);
                    lines.push(line);
                }
                all.push(ask::summarise(&name, &asked));
                self.printer.note(&format!("asked {name}"));
            }
        }
        self.per_question(&lines)?;
        let exit = self.publish("ask", &all, &ask::table(&all))?;
        let failed: usize = all.iter().map(|summary| summary.failed).sum();
        if failed == 0 {
            return Ok(exit);
        }
        self.printer.note(&format!(
            "{failed} questions were not worked on because the model failed; the same command asks \
             these again, and takes what was answered from its kept answers"
        ));
        Ok(Exit::Partial)
    }

    fn prepare(&self, set: &Dataset, without: &BTreeSet<String>) -> Result<crate::Project, Error> {
        let changes = Changes {
            no_titles: self.data.no_titles,
            without: without.clone(),
        };
        let mut variant = match self.data.half {
            _ if without.is_empty() => "whole".to_owned(),
            Half::Dev => "without-dev".to_owned(),
            Half::Report => "without-report".to_owned(),
            Half::All => "without-all".to_owned(),
        };
        if self.data.no_titles {
            variant.push_str("-untitled");
        }
        let mut meter: Option<Meter> = None;
        let mut show = |progress: Progress<'_>| {
            if let Progress::Vectors(coverage) = progress {
                let unit = Unit::Things("passages");
                meter
                    .get_or_insert_with(|| {
                        Meter::start(self.printer, "encoding", unit, coverage.wanted())
                    })
                    .set(coverage.embedded);
            }
        };
        let threads = self.threads;
        let mut encoders: Vec<String> = vec!["minilm".to_owned()];
        for name in &self.data.retrievers {
            let (name, encoder) = wire::split_retriever(name);
            // A sparse one gives vectors of another kind, which are made with its index.
            if name != "sparse" && encoders.iter().all(|known| known != encoder) {
                encoders.push(encoder.to_owned());
            }
        }
        let project = self.workplace.prepare(
            set,
            &variant,
            &changes,
            &encoders,
            threads,
            &mut show,
            self.cancel,
        )?;
        for name in &self.data.retrievers {
            self.workplace.prepare_for(&project, name, self.cancel)?;
        }
        Ok(project)
    }

    fn per_question(&self, lines: &[serde_json::Value]) -> anyhow::Result<()> {
        let Some(path) = &self.data.per_question else {
            return Ok(());
        };
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.write_all(b"\n")?;
        }
        std::fs::write(path, text).map_err(|e| Error::io("write", path, e))?;
        Ok(())
    }

    fn publish(&self, what: &str, rows: &impl Serialize, table: &str) -> anyhow::Result<Exit> {
        let half = match self.data.half {
            Half::Dev => "dev",
            Half::Report => "report",
            Half::All => "all",
        };
        if self.json {
            let hashes: serde_json::Map<_, _> = self
                .sets
                .iter()
                .map(|set| Ok((set.name.clone(), serde_json::to_value(&set.hashes)?)))
                .collect::<Result<_, serde_json::Error>>()?;
            self.printer.json(&json!({
                "what": what, "half": half, "titles": !self.data.no_titles,
                "limit": self.data.limit, "version": env!("CARGO_PKG_VERSION"),
                "data": hashes, "rows": rows,
            }))?;
            return Ok(Exit::Done);
        }
        let mut out = format!(
            "indago {} eval {what}, {half} half{}{}\n\n{table}\n",
            env!("CARGO_PKG_VERSION"),
            if self.data.no_titles {
                ", without titles"
            } else {
                ""
            },
            self.data
                .limit
                .map_or_else(String::new, |n| format!(", first {n} questions")),
        );
        out.push_str("Data (BLAKE3):\n\n");
        for set in &self.sets {
            for (file, hash) in &set.hashes {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "- {}/{file} {}", set.name, &hash.to_string()[..16]);
            }
        }
        self.printer.data(&out)?;
        Ok(Exit::Done)
    }
}
