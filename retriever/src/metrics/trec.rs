//! TREC files: runs (`query Q0 document rank score tag`) and judgements, in TREC's form (`query 0
//! document grade`) and in BEIR's (a header line, then `query document grade` between tabs).

use std::io::{self, BufRead, Write};

use super::{Qrels, Run};

/// A file that is not in the expected form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrecError {
    /// A line that cannot be understood.
    #[error("line {line}: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}

fn bad(line: usize, reason: impl Into<String>) -> TrecError {
    TrecError::Line {
        line,
        reason: reason.into(),
    }
}

/// Reads a run. Ranks in the file are ignored, as `trec_eval` does: scores decide.
///
/// # Errors
/// On a line without six fields, a score that is no finite number, or a document listed twice.
pub fn read_run(reader: impl BufRead) -> Result<Run, TrecError> {
    let mut run = Run::new();
    let mut seen = std::collections::HashSet::new();
    for (i, line) in reader.lines().enumerate() {
        let line = line?;
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [] => {}
            [query, _, document, _, score, _] => {
                let score = score.parse::<f32>().ok().filter(|score| score.is_finite());
                let score = score.ok_or_else(|| bad(i + 1, "the score is no number"))?;
                if !seen.insert((query.to_owned(), document.to_owned())) {
                    return Err(bad(
                        i + 1,
                        format!("`{document}` is listed twice for `{query}`"),
                    ));
                }
                run.entry(query.to_owned())
                    .or_default()
                    .push((document.to_owned(), score));
            }
            _ => return Err(bad(i + 1, format!("{} fields, should be 6", fields.len()))),
        }
    }
    Ok(run)
}

/// An id as one field: white space, which the format cannot hold, becomes `_`.
fn field(id: &str) -> String {
    id.split_whitespace().collect::<Vec<_>>().join("_")
}

/// Writes a run, best first. White space within ids becomes `_`, as [`write_qrels`] has it.
///
/// Documents of equal score are written with scores that differ in the last digits, because
/// `trec_eval` would otherwise order them by id and not as given.
///
/// # Errors
/// When writing fails.
pub fn write_run(
    mut writer: impl Write,
    query: &str,
    ranked: &[(String, f32)],
    tag: &str,
) -> Result<(), TrecError> {
    let query = field(query);
    let mut last = f32::INFINITY;
    for (i, (document, score)) in ranked.iter().enumerate() {
        let score = if *score < last {
            *score
        } else {
            last.next_down()
        };
        last = score;
        let document = field(document);
        writeln!(writer, "{query} Q0 {document} {} {score:?} {tag}", i + 1)?;
    }
    Ok(())
}

/// Reads judgements in either form; which one is told by the number of fields.
///
/// # Errors
/// On a line with other than three or four fields, or a grade that is no whole number.
pub fn read_qrels(reader: impl BufRead) -> Result<Qrels, TrecError> {
    let mut qrels = Qrels::new();
    for (i, line) in reader.lines().enumerate() {
        let line = line?;
        let fields: Vec<&str> = if line.contains('\t') {
            line.trim_end_matches(['\r', '\n']).split('\t').collect()
        } else {
            line.split_whitespace().collect()
        };
        let (query, document, grade) = match fields[..] {
            [] => continue,
            [query, document, grade] | [query, _, document, grade] => (query, document, grade),
            _ => {
                return Err(bad(
                    i + 1,
                    format!("{} fields, should be 3 or 4", fields.len()),
                ));
            }
        };
        match grade.trim().parse() {
            Ok(grade) => {
                qrels
                    .entry(query.to_owned())
                    .or_default()
                    .insert(document.to_owned(), grade);
            }
            Err(_) if i == 0 => {} // BEIR's header
            Err(_) => return Err(bad(i + 1, format!("`{grade}` is no whole number"))),
        }
    }
    Ok(qrels)
}

/// Writes judgements in TREC's form. White space within ids becomes `_`.
///
/// # Errors
/// When writing fails.
pub fn write_qrels(mut writer: impl Write, qrels: &Qrels) -> Result<(), TrecError> {
    for (query, grades) in qrels {
        for (document, grade) in grades {
            let (query, document) = (field(query), field(document));
            writeln!(writer, "{query} 0 {document} {grade}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Measure, rank};
    use super::*;

    /// Scores and grades at the ends of what their types hold, and beyond.
    const SCORES: &str = "-?[0-9]{1,3}|NaN|-?inf|1e39|-?3e38|1e-46";
    const GRADES: &str = "-?[0-3]|2147483647|2147483648|-2147483648|x";

    proptest! {
        #[test]
        fn runs_come_back_in_their_order(scores in prop::collection::vec(0u8..4, 0..12)) {
            let mut scores = scores;
            scores.sort_unstable_by(|a, b| b.cmp(a));
            let given: Vec<(String, f32)> = scores
                .iter()
                .enumerate()
                .map(|(i, score)| (format!("d{i}"), f32::from(*score) / 3.0))
                .collect();
            let mut file = Vec::new();
            write_run(&mut file, "q 1".split(' ').next().unwrap(), &given, "t").unwrap();
            let run = read_run(&file[..]).unwrap();
            let ids: Vec<&str> = given.iter().map(|(id, _)| id.as_str()).collect();
            let back = run.get("q").map(|documents| rank(documents)).unwrap_or_default();
            prop_assert_eq!(back, ids);
        }

        #[test]
        fn noise_never_panics(text in ".{0,200}") {
            let _ = read_run(text.as_bytes());
            let _ = read_qrels(text.as_bytes());
        }

        /// Lines of the right form whose fields are anything.
        #[test]
        fn what_is_read_can_be_measured(
            lines in prop::collection::vec((0u8..3, "[a-c]|\\PC{1,3}", SCORES, GRADES), 0..12),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            tabs in any::<bool>(),
        ) {
            let between = if tabs { '\t' } else { ' ' };
            let (mut run, mut qrels) = (Vec::new(), Vec::new());
            for (query, document, score, grade) in &lines {
                let line = format!("q{query} Q0 {document} 1 {score} t\n");
                run.extend(line.as_bytes());
                let fields = [format!("q{query}"), document.clone(), grade.clone()];
                qrels.extend(fields.join(&between.to_string()).as_bytes());
                qrels.push(b'\n');
            }
            let whole = (read_run(&run[..]), read_qrels(&qrels[..]));
            if let (Ok(run), Ok(qrels)) = whole {
                let measures = "ndcg@3 ndcg_binary@9 recall@1 precision@5 allr@2 hits@1 mrr@4 \
                                evidence_map@2 map";
                for (query, documents) in &run {
                    let judged = qrels.get(query).cloned().unwrap_or_default();
                    for measure in measures.split(' ') {
                        let value = measure.parse::<Measure>().unwrap().of(&rank(documents), &judged);
                        prop_assert!((0.0..=1.0 + 1e-9).contains(&value), "{measure} {value}");
                    }
                }
            }
            run.extend(&bytes);
            qrels.extend(&bytes);
            let _ = (read_run(&run[..]), read_qrels(&qrels[..]));
        }
    }

    #[test]
    fn ids_with_white_space_are_one_field_in_runs_and_judgements_alike() {
        let ranked = [("Ann  Lee".to_owned(), 2.0), ("plain".to_owned(), 1.0)];
        let (mut run, mut judged) = (Vec::new(), Vec::new());
        write_run(&mut run, "q 1", &ranked, "t").unwrap();
        let grades = [("Ann  Lee".to_owned(), 1)].into();
        write_qrels(&mut judged, &[("q 1".to_owned(), grades)].into()).unwrap();
        let (run, judged) = (
            read_run(&run[..]).unwrap(),
            read_qrels(&judged[..]).unwrap(),
        );
        assert_eq!(run["q_1"][0].0, "Ann_Lee");
        assert_eq!(judged["q_1"]["Ann_Lee"], 1);
    }

    #[test]
    fn both_forms_of_judgements_are_read() {
        let trec = "q1 0 d1 2\nq1 0 d2 0\n\nq2 0 d1 1\n";
        let beir = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t1\n";
        let qrels = read_qrels(trec.as_bytes()).unwrap();
        assert_eq!(qrels, read_qrels(beir.as_bytes()).unwrap());
        let mut written = Vec::new();
        write_qrels(&mut written, &qrels).unwrap();
        assert_eq!(read_qrels(&written[..]).unwrap(), qrels);
    }

    #[test]
    fn errors_name_the_line() {
        let error = read_run(&b"q Q0 d 1 0.5 t\nq Q0 d 2 0.4 t\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "line 2: `d` is listed twice for `q`");
        let error = read_qrels(&b"q 0 d 1\nq 0 d x\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "line 2: `x` is no whole number");
    }
}
