//! Agreement with `pytrec_eval` 0.5 (the Python face of `trec_eval`) on a recorded run with ties,
//! graded and unjudged documents, an unanswered query, one that nobody judged and one without
//! relevant documents. Every measure that `indago eval retrieval` reports is among those compared;
//! evidence MAP, which no package has, with a restatement of its authors' script.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};

use indago_retriever::metrics::{Measure, Run, evaluate, rank, read_qrels, read_run};

/// By the depth of the rankings, measure and query.
type Expected = BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>;

#[test]
fn values_agree_with_trec_eval() {
    let run = read_run(&include_bytes!("fixtures/metrics.run")[..]).unwrap();
    let qrels = read_qrels(&include_bytes!("fixtures/metrics.qrels")[..]).unwrap();
    let expected: Expected =
        serde_json::from_slice(include_bytes!("fixtures/metrics.expected.json")).unwrap();
    let compared: Vec<_> = expected
        .iter()
        .map(|(d, m)| (d.as_str(), m.len()))
        .collect();
    assert_eq!(compared, [("100", 10), ("all", 12)]);
    for (depth, measures) in expected {
        let run = match depth.parse() {
            Ok(depth) => first(&run, depth),
            Err(_) => run.clone(),
        };
        for (measure, values) in measures {
            let ours = evaluate(&run, &qrels, measure.parse::<Measure>().unwrap());
            for (query, value) in &values {
                let unjudged = qrels[query].values().all(|grade| *grade <= 0);
                let our_value = ours.get(query).copied();
                if unjudged {
                    assert_eq!(our_value, None, "{query} has no relevant document");
                    continue;
                }
                let our_value = our_value.unwrap();
                assert!(
                    (our_value - value).abs() < 1e-6,
                    "{measure} {query}: {our_value}, not {value}"
                );
            }
            // trec_eval leaves an unanswered query out; here it counts as a failure. Both leave
            // out what nobody judged.
            assert_eq!(ours.get("q3"), Some(&0.0));
            assert!(run.contains_key("q47") && !ours.contains_key("q47"));
        }
    }
}

/// The first `depth` documents of each query.
fn first(run: &Run, depth: usize) -> Run {
    let cut = |documents: &Vec<(String, f32)>| {
        let kept: BTreeSet<&str> = rank(documents).into_iter().take(depth).collect();
        let all = documents.iter();
        all.filter(|(id, _)| kept.contains(id.as_str()))
            .cloned()
            .collect()
    };
    run.iter()
        .map(|(q, found)| (q.clone(), cut(found)))
        .collect()
}
