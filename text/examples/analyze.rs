//! Reads questions, one per line, and writes what the analysis sees in each.
//!
//! `cargo run -p indago-text --example analyze < questions.txt`

use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let q = indago_text::question::analyze(&line);
        writeln!(out, "Q {line}")?;
        write!(out, "  {:?} {:?}", q.shape, q.answer)?;
        if let Some(word) = &q.question_word {
            write!(out, " word={word}")?;
        }
        if let Some(focus) = &q.focus {
            write!(out, " focus={focus}")?;
        }
        if let Some(order) = &q.ordering {
            write!(
                out,
                " order={} {:?} {:?}",
                order.word, order.direction, order.scale
            )?;
        }
        writeln!(out)?;
        let strict: Vec<String> = indago_text::names(&line)
            .into_iter()
            .map(|n| match n.alternatives.as_slice() {
                [] => n.text,
                more => format!("{} {more:?}", n.text),
            })
            .collect();
        writeln!(out, "  names {strict:?}")?;
        let options: Vec<&str> = q.options.iter().map(|o| o.text.as_str()).collect();
        if !options.is_empty() {
            writeln!(out, "  options {options:?}")?;
        }
        for hop in &q.hops {
            writeln!(
                out,
                "  hop {:?} {:?} {:?}",
                hop.anchor.as_deref().unwrap_or("^"),
                hop.relation,
                hop.others
            )?;
        }
        for source in &q.sources {
            writeln!(out, "  source {:?}: {:?}", source.name, source.clause.text)?;
        }
        if q.clauses.len() > 1 {
            for clause in &q.clauses {
                writeln!(out, "  clause {:?}", clause.text)?;
            }
        }
    }
    out.flush()
}
