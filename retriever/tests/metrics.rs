//! Agreement with `pytrec_eval` 0.5 (the Python face of `trec_eval`) on a recorded run with ties,
//! graded judgements, an unanswered query and one without relevant documents.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;

use indago_retriever::metrics::{Measure, evaluate, read_qrels, read_run};

#[test]
fn values_agree_with_trec_eval() {
    let run = read_run(&include_bytes!("fixtures/metrics.run")[..]).unwrap();
    let qrels = read_qrels(&include_bytes!("fixtures/metrics.qrels")[..]).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_slice(include_bytes!("fixtures/metrics.expected.json")).unwrap();
    assert_eq!(expected.len(), 12);
    for (measure, values) in expected {
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
        // trec_eval leaves an unanswered query out; here it counts as a failure.
        assert_eq!(ours.get("q3"), Some(&0.0));
    }
}
