//! Writes what the graph retriever judges passages by, for `retriever/training/fit.py`.
//!
//! `cargo run --release --example rank_features -- DATA WORK OUT.tsv`
//!
//! `DATA` holds data sets in BEIR's layout, such as those of `retriever/training/make_questions.py`;
//! `WORK` keeps their indexes. One line per question and passage: set, question, whether the passage
//! is relevant, then the features before links and after, the latter under the weights of this
//! build.
use std::error::Error;
use std::io::Write;
use std::path::Path;

use indago::core::{Cancel, Query};
use indago::eval::{Workplace, data};
use indago::wire;
use indago_retriever::retrievers::Graph;

/// Ranks of the fused list that are written.
const DEPTH: f32 = 61.0;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, work, out] = args.as_slice() else {
        return Err("give DATA WORK OUT.tsv".into());
    };
    let workplace = Workplace::new(Some(Path::new(work)))?;
    let mut out = std::io::BufWriter::new(std::fs::File::create(out)?);
    let cancel = Cancel::new();
    for set in data::read(Path::new(folder), &[])? {
        let project = workplace.prepare(
            &set,
            "whole",
            &data::Changes::default(),
            &["minilm".to_owned()],
            2,
            &mut |_| {},
            &cancel,
        )?;
        let corpus = indago::open(&project, "default")?;
        let graph = Graph::over(&corpus, Some(wire::encoder()?))?;
        for question in set.questions.iter().filter(|q| !q.gold.is_empty()) {
            let evidence = graph.evidence(&Query::new(question.text.clone()), &cancel)?;
            for (passage, before, after) in evidence {
                // What stands far down and is not linked is decided by its place alone.
                if before[1] < -DEPTH.ln() && before[2] <= 0.0 && after[4] <= 0.0 {
                    continue;
                }
                let source = corpus.source_of(passage)?;
                let gold = source.is_some_and(|s| question.gold.contains(s.document.as_str()));
                write!(out, "{}\t{}\t{}", set.name, question.id, u8::from(gold))?;
                for value in before.iter().chain(&after) {
                    write!(out, "\t{value:.6}")?;
                }
                writeln!(out)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
