//! What `--json` prints is what `docs/reference/commands-json.md` says, field by field.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Sandbox;

const PAGE: &str = include_str!("../../docs/reference/commands-json.md");

/// A documented field: its path, the types it may have, and whether it may be missing.
struct Field {
    path: Vec<String>,
    types: Vec<String>,
    may_be_absent: bool,
}

/// The fields of a section of the page.
fn documented(section: &str) -> Vec<Field> {
    let heading = format!("## {section}\n");
    let (_, rest) = PAGE.split_once(&heading).expect("a section of the page");
    let rows = rest.lines().take_while(|line| !line.starts_with("## "));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [field, types, meaning] = cells[..] else {
            return None;
        };
        let path = field.strip_prefix("| `")?.strip_suffix('`')?;
        Some(Field {
            path: path.split('.').map(str::to_owned).collect(),
            types: types.split(" or ").map(str::to_owned).collect(),
            may_be_absent: meaning.contains("absent"),
        })
    })
    .collect()
}

/// Every field of `value` with its type, elements of lists under `NAME[]`.
fn printed(value: &Value, at: &[String], out: &mut BTreeSet<(Vec<String>, &'static str)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let mut at = at.to_vec();
                at.push(name.clone());
                out.insert((at.clone(), type_of(value)));
                printed(value, &at, out);
            }
        }
        Value::Array(list) => {
            let mut at = at.to_vec();
            let last = at.pop().unwrap_or_default();
            at.push(format!("{last}[]"));
            for element in list {
                printed(element, &at, out);
            }
        }
        _ => {}
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Fails unless every field of `value` is documented with its type, and every field that is always
/// there is.
pub(crate) fn check(section: &str, value: &Value) {
    let fields = documented(section);
    assert!(!fields.is_empty(), "{section}");
    let mut found = BTreeSet::new();
    printed(value, &[], &mut found);
    let describes = |field: &Field, path: &[String]| {
        let same = |(want, have): (&String, &String)| want == "*" || want == have;
        field.path.len() == path.len() && field.path.iter().zip(path).all(same)
    };
    for (path, kind) in &found {
        let mut known = fields.iter().filter(|field| describes(field, path));
        assert!(
            known.any(|field| field.types.iter().any(|name| name == kind)),
            "{section}: {} is a {kind}, and the page does not say so",
            path.join(".")
        );
    }
    for field in fields.iter().filter(|field| !field.may_be_absent) {
        assert!(
            found.iter().any(|(path, _)| describes(field, path)),
            "{section}: {} is missing",
            field.path.join(".")
        );
    }
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    let outcome = sandbox.run(&[args, &["--json"]].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

#[test]
fn corpora_and_searches() {
    let sandbox = Sandbox::with_documents();
    sandbox.write("docs/broken.pdf", "%PDF-1.4 and no more");
    check(
        "indago index",
        &json(&sandbox, &["index", "docs", "--no-vectors"]),
    );
    let everything = [
        "--approximate",
        "--sparse",
        "--substrings",
        "--phrase-graph",
    ];
    let index = json(&sandbox, &[&["index"][..], &everything].concat());
    check("indago index", &index);
    assert!(
        index["substrings"].is_object() && index["phrases"].is_object(),
        "{index}"
    );
    check("indago search", &json(&sandbox, &["search", "lighthouse"]));
    check(
        "indago search",
        &json(&sandbox, &["search", "Ines Falk", "-r", "exact"]),
    );
    check("indago corpus list", &json(&sandbox, &["corpus", "list"]));
    let stats = json(&sandbox, &["corpus", "stats"]);
    check("indago corpus stats", &stats);
    assert!(!stats["sparse"][0]["recall"].is_null(), "{stats}");

    sandbox.write(".indago/corpora/default/manifest.json", "{");
    let damaged = json(&sandbox, &["corpus", "list"]);
    check("indago corpus list", &damaged);
    assert!(damaged[0]["error"].is_string(), "{damaged}");
}

#[test]
fn models_settings_and_the_installation() {
    let sandbox = Sandbox::new();
    let server = "[models.far]\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n";
    sandbox.write("indago.toml", server);
    let listed = json(&sandbox, &["models", "list"]);
    check("indago models list", &listed);
    assert!(listed.to_string().contains("127.0.0.1:9"), "{listed}");
    check(
        "indago models verify",
        &json(&sandbox, &["models", "verify"]),
    );
    check("indago config show", &json(&sandbox, &["config", "show"]));
    let outcome = sandbox.run(&["doctor", "--json"]);
    let checks = serde_json::from_str(&outcome.stdout).expect("JSON");
    check("indago doctor", &checks);
    let outcome = sandbox.run(&["models", "test", "--json"]);
    let tested = serde_json::from_str(&outcome.stdout).expect("JSON");
    check("indago models test", &tested);
}

/// Scores retrievers on the set that [`data`] writes.
const RETRIEVAL: [&str; 8] = [
    "eval",
    "retrieval",
    "--data",
    "data",
    "--half",
    "all",
    "--work",
    "w",
];

/// A data set of three documents.
fn data(sandbox: &Sandbox) {
    sandbox.write(
        "data/small/corpus.jsonl",
        "{\"_id\": \"a\", \"title\": \"Copper\", \"text\": \"Copper was found in Falun in 1288.\"}\n\
         {\"_id\": \"b\", \"title\": \"Iron\", \"text\": \"Iron is smelted in Kiruna.\"}\n\
         {\"_id\": \"c\", \"title\": \"Bread\", \"text\": \"Bread needs flour and water.\"}\n",
    );
    sandbox.write(
        "data/small/queries.jsonl",
        "{\"_id\": \"1\", \"text\": \"Where was copper found?\", \"answers\": [\"Falun\"]}\n\
         {\"_id\": \"2\", \"text\": \"What does bread need?\"}\n",
    );
    sandbox.write(
        "data/small/qrels.tsv",
        "query-id\tcorpus-id\tscore\n1\ta\t1\n2\tc\t1\n",
    );
}

#[test]
fn figures() {
    let sandbox = Sandbox::new();
    data(&sandbox);
    let scored = json(&sandbox, &RETRIEVAL);
    check("indago eval retrieval", &scored);
    assert_eq!(scored["rows"][0]["means"]["recall@5"], 1.0);
    assert_eq!(scored["rows"][0]["intervals"]["recall@5"][0], 1.0);
    let by_precision = json(
        &sandbox,
        &[&RETRIEVAL[..], &["--measure", "precision@5"]].concat(),
    );
    check("indago eval retrieval", &by_precision);
    assert_eq!(by_precision["rows"][1]["means"]["precision@5"], 0.2);
    let ask = [
        "eval", "ask", "--data", "data", "--half", "all", "--work", "w",
    ];
    check(
        "indago eval ask",
        &json(&sandbox, &[&ask[..], &["--without-gold"]].concat()),
    );
}

#[test]
fn the_measure_that_systems_are_compared_by_has_its_interval_in_the_table() {
    let sandbox = Sandbox::new();
    data(&sandbox);
    let table = |measure: &[&str]| {
        let bm25 = ["--retriever", "bm25", "--retriever", "rrf"];
        sandbox.run(&[&RETRIEVAL[..], &bm25, measure].concat())
    };
    let usual = table(&[]).stdout;
    assert!(
        usual.contains("| R@5 | R@10 | nDCG@10 (95%) | MRR@10 |"),
        "{usual}"
    );
    assert!(usual.contains("| 100.0 (100.0 to 100.0) |"), "{usual}");
    let recall = table(&["--measure", "recall@5"]).stdout;
    assert!(
        recall.contains("| R@5 (95%) | R@10 | nDCG@10 | MRR@10 |"),
        "{recall}"
    );
    let other = table(&["--measure", "ndcg@3"]).stdout;
    assert!(
        other.contains("| evidence MAP@10 | nDCG@3 (95%) | p against bm25 |"),
        "{other}"
    );
    for (measure, advice) in [
        ("recall@1000", "only the first 100 documents are looked at"),
        ("recall@0", "known are ndcg@K"),
        ("accuracy", "known are ndcg@K"),
    ] {
        let refused = table(&["--measure", measure]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(advice), "{refused:?}");
    }
}
