//! What each format gives.

use indago_core::DocumentKind;
use indago_retriever::ingest::{ChunkOptions, LoadLimits, SkipReason, TokenEstimate, chunk};

use crate::{fixture, only, read, write};

/// `heading text` of every section, in order.
fn headings(parsed: &indago_retriever::ingest::Parsed) -> Vec<&str> {
    parsed
        .outline
        .headings
        .iter()
        .map(|heading| heading.text.as_str())
        .collect()
}

#[test]
fn markdown_keeps_its_source_and_gives_up_its_front_matter() {
    let folder = tempfile::tempdir().unwrap();
    let source = "---\ntitle: Harbours\ndate: 2021-03-04\nregion: north\n---\n\
                  # Harbours\n\nIntro *text*.\n\n## Port `Ellery`\n\n- one\n- two\n";
    let parsed = only(&write(folder.path(), "a.md", source));
    let document = &parsed.document;
    assert_eq!(document.kind, DocumentKind::Markdown);
    assert_eq!(
        (document.title.as_str(), document.id.as_str()),
        ("Harbours", "a.md")
    );
    assert_eq!(document.date.unwrap().to_string(), "2021-03-04");
    assert_eq!(document.metadata["region"], "north");
    assert!(document.text.starts_with("# Harbours\n\nIntro *text*."));
    assert_eq!(headings(&parsed), ["Harbours", "Port Ellery"]);
    let options = ChunkOptions {
        min_tokens: 0,
        ..ChunkOptions::default()
    };
    let passages = chunk(document, &parsed.outline, &options, &TokenEstimate);
    let places: Vec<String> = passages.iter().map(|p| p.location.to_string()).collect();
    assert_eq!(
        places,
        ["line 6, Harbours", "line 10, Harbours > Port Ellery"]
    );
    assert_eq!(passages[1].text, "## Port `Ellery`\n\n- one\n- two");
}

#[test]
fn a_web_page_gives_what_a_reader_sees() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"<!doctype html><html lang="en"><head>
        <meta charset="utf-8"><title>Tides - Port Ellery</title>
        <meta property="article:published_time" content="2020-02-29T08:00:00Z">
        <meta name="author" content="A. Marsh"><script>var x = "no";</script></head>
        <body><nav><a href="/">Home</a></nav>
        <h1>Tides</h1><p>High water   is at <b>noon</b>.<br>Low water is not.</p>
        <h2>Table</h2><table><tr><th>Day</th><th>Height</th></tr><tr><td>Mon</td><td>4.2 m</td></tr></table>
        <pre>a  b
  c</pre><ul><li>first</li><li>second</li></ul><footer>Imprint</footer></body></html>"#;
    let parsed = only(&write(folder.path(), "a.html", source));
    let document = &parsed.document;
    assert_eq!(
        &*document.text,
        "Tides\n\nHigh water is at noon.\nLow water is not.\n\nTable\n\nDay | Height\nMon | 4.2 m\n\n\
         a  b\n  c\n\nfirst\nsecond"
    );
    assert_eq!(document.title, "Tides");
    assert_eq!(document.date.unwrap().to_string(), "2020-02-29");
    assert_eq!(document.metadata["author"], "A. Marsh");
    assert_eq!(headings(&parsed), ["Tides", "Table"]);
    assert_eq!(parsed.outline.headings[0].range, 0..document.text.len());
}

#[test]
fn a_web_page_in_a_legacy_encoding_is_read_as_it_declares() {
    let folder = tempfile::tempdir().unwrap();
    let source = b"<html><meta charset=iso-8859-1><body><p>Caf\xe9 au port</p>";
    let parsed = only(&write(folder.path(), "a.html", source));
    assert_eq!(&*parsed.document.text, "Caf\u{e9} au port");
}

#[test]
fn a_pdf_gives_its_pages_lines_and_properties() {
    for name in ["report.pdf", "object-streams.pdf", "owner-locked.pdf"] {
        let parsed = only(&fixture(name));
        let document = &parsed.document;
        assert_eq!(document.title, "Tide tables of Port Ellery", "{name}");
        assert_eq!(document.metadata["author"], "A. Marsh");
        let pages: Vec<&str> = document
            .pages
            .iter()
            .zip(
                document
                    .pages
                    .iter()
                    .skip(1)
                    .map(|p| p.start as usize)
                    .chain([document.text.len()]),
            )
            .map(|(page, end)| document.text[page.start as usize..end].trim())
            .collect();
        assert_eq!(pages.len(), 3);
        assert!(pages[0].starts_with("Tide tables\n"), "{:?}", pages[0]);
        assert!(pages[0].ends_with(
            "The harbour of Port Ellery was surveyed in 1987.\n\
             High water at the pier reaches 4.2 metres in spring."
        ));
        assert_eq!(pages[2], "A third page ends the report.");
        let passages = chunk(
            document,
            &parsed.outline,
            &ChunkOptions::default(),
            &TokenEstimate,
        );
        assert_eq!(passages[0].location.page, Some(1));
    }
}

#[test]
fn wrapped_text_of_a_pdf_keeps_its_words_apart() {
    let parsed = only(&fixture("ferry.pdf"));
    let text = parsed
        .document
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let sentence = "The ferry Aurelia crosses the sound four times a day.";
    assert_eq!(text.matches(sentence).count(), 8, "{text}");
    assert!(text.ends_with("Tickets cost eleven crowns. Children under six travel free."));
    assert_eq!(parsed.document.date.unwrap().to_string(), "2023-10-30");
}

#[test]
fn a_word_document_gives_headings_lists_and_tables() {
    let parsed = only(&fixture("bridge.docx"));
    let document = &parsed.document;
    assert_eq!(
        &*document.text,
        "Bridge inspection\n\nFindings\n\n\
         The north pier shows corrosion on two of its nine bearings.\n\n\
         Repairs begin in March.\n\nCosts\n\nPart | Price\nBearing | 4,200\n\nFigures are in euros."
    );
    assert_eq!(document.title, "Bridge inspection");
    assert_eq!(document.date.unwrap().to_string(), "2022-05-04");
    assert_eq!(document.metadata["author"], "R. Hale");
    assert_eq!(
        headings(&parsed),
        ["Bridge inspection", "Findings", "Costs"]
    );
}

#[test]
fn an_e_book_is_read_in_the_order_of_its_spine() {
    let parsed = only(&fixture("lamp.epub"));
    let document = &parsed.document;
    assert_eq!(
        &*document.text,
        "Storm\n\nThe lamp failed on the third night.\n\nArrival\n\nInes reached the island in March."
    );
    assert_eq!(document.title, "The Lamp Keeper");
    assert_eq!(document.date.unwrap().to_string(), "1911-03-02");
    assert_eq!(headings(&parsed), ["Storm", "Arrival"]);
}

#[test]
fn json_lines_give_a_document_each() {
    let folder = tempfile::tempdir().unwrap();
    let lines = concat!(
        "{\"_id\": \"d1\", \"title\": \"One\", \"text\": \"First text.\", ",
        "\"metadata\": {\"source\": {\"name\": \"Gazette\"}, \"published_at\": \"2023-10-30T20:56:51+00:00\"}}\n",
        "\n",
        "not json\n",
        "{\"id\": 7, \"contents\": \"Second text.\", \"year\": 1999}\n",
        "{\"name\": \"Ann\", \"age\": 40}\n",
        "[1]\n",
    );
    for name in ["a.jsonl", "a.ndjson"] {
        let file = write(folder.path(), name, lines);
        let (parsed, skipped, warnings) = read(&file, &LoadLimits::default());
        let documents: Vec<_> = parsed.iter().map(|p| &p.document).collect();
        let ids: Vec<&str> = documents.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["d1", "7", &format!("{name}#5")]);
        assert_eq!(
            (documents[0].title.as_str(), &*documents[0].text),
            ("One", "First text.")
        );
        assert_eq!(documents[0].date.unwrap().to_string(), "2023-10-30");
        assert_eq!(documents[0].metadata["source.name"], "Gazette");
        assert_eq!(documents[1].date.unwrap().to_string(), "1999");
        assert_eq!(&*documents[2].text, "age: 40\nname: Ann");
        let problems: Vec<_> = skipped
            .iter()
            .map(|s| (s.path.as_str(), s.reason))
            .collect();
        let at = |line| format!("{name}:{line}");
        assert_eq!(
            problems,
            [
                (&*at(3), SkipReason::BadRecord),
                (&*at(6), SkipReason::BadRecord)
            ]
        );
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn a_record_that_is_only_a_title_can_be_found_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let line = "{\"_id\": \"t\", \"title\": \"Report on Lamps\", \"text\": \"\"}\n";
    let file = write(folder.path(), "a.jsonl", line);
    let (parsed, skipped, _) = read(&file, &LoadLimits::default());
    assert_eq!(&*parsed[0].document.text, "Report on Lamps");
    assert!(skipped.is_empty());
}

#[test]
fn json_arrays_and_packed_files_give_the_same_records() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let array =
        "[\n {\"_id\": \"a\", \"text\": \"x \\\"]} y\"},\n {\"_id\": \"b\", \"text\": \"z\"}\n]\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(array.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let concatenated = "{\"_id\":\"a\",\"text\":\"x \\\"]} y\"}\n{\"_id\":\"b\",\"text\":\"z\"}";
    for file in [
        write(folder.path(), "a.json", array),
        write(folder.path(), "b.json.gz", packed),
        write(folder.path(), "c.json", concatenated),
    ] {
        let (parsed, skipped, _) = read(&file, &LoadLimits::default());
        assert_eq!(skipped, []);
        let texts: Vec<_> = parsed
            .iter()
            .map(|p| (p.document.id.as_str(), &*p.document.text))
            .collect();
        assert_eq!(texts, [("a", "x \"]} y"), ("b", "z")], "{}", file.relative);
    }
}

#[test]
fn a_json_file_that_is_no_list_of_records_is_text() {
    let folder = tempfile::tempdir().unwrap();
    for source in [
        "{\"version\": 3, \"deps\": {\"a\": 1}}",
        "[1, 2]",
        "\"x\"",
        "{broken",
    ] {
        let parsed = only(&write(folder.path(), "a.json", source));
        assert_eq!(
            (parsed.document.kind, &*parsed.document.text),
            (DocumentKind::Text, source)
        );
    }
}

#[test]
fn a_table_gives_a_document_for_each_row() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "_id,title,text,date,region\nr1,\"Pier, north\",\"Built of\nstone.\",1911-03-02,coast\nr2,Mole,Wood.,,\n";
    let (parsed, skipped, _) = read(&write(folder.path(), "a.csv", rows), &LoadLimits::default());
    assert_eq!(skipped, []);
    let first = &parsed[0].document;
    assert_eq!(
        (first.id.as_str(), first.title.as_str()),
        ("r1", "Pier, north")
    );
    assert_eq!(&*first.text, "Built of\nstone.");
    assert_eq!(first.date.unwrap().to_string(), "1911-03-02");
    assert_eq!(first.metadata["region"], "coast");
    let second = chunk(
        &parsed[1].document,
        &parsed[1].outline,
        &ChunkOptions::default(),
        &TokenEstimate,
    );
    assert_eq!(second[0].location.line, Some(4));

    let rows = "port;depth\nEllery;4,2\nVold;11\nToo;many;cells\n";
    let (parsed, _, warnings) = read(&write(folder.path(), "b.csv", rows), &LoadLimits::default());
    let texts: Vec<&str> = parsed.iter().map(|p| &*p.document.text).collect();
    assert_eq!(
        texts,
        [
            "port: Ellery\ndepth: 4,2",
            "port: Vold\ndepth: 11",
            "port: Too\ndepth: many\ncolumn 3: cells"
        ]
    );
    assert_eq!(parsed[0].document.metadata["depth"], "4,2");
    assert_eq!(parsed[0].document.id.as_str(), "b.csv#2");
    assert_eq!(
        warnings,
        ["b.csv: 1 rows do not have 2 cells as the header"]
    );
}

#[test]
fn code_is_cut_into_named_definitions() {
    let folder = tempfile::tempdir().unwrap();
    for (name, source, expected) in [
        (
            "a.rs",
            "//! Doc.\nuse std::fmt;\n\n/// A pier.\n#[derive(Debug)]\npub struct Pier;\n\nimpl Pier {\n    fn len(&self) -> u32 { 1 }\n}\n",
            vec!["struct Pier", "impl Pier", "fn len"],
        ),
        (
            "a.py",
            "class Pier:\n    def length(self):\n        return 1\n\n@cache\ndef build():\n    pass\n",
            vec!["class Pier", "def length", "def build"],
        ),
        (
            "a.js",
            "export class Pier { length() { return 1; } }\nconst build = () => 1;\nfunction run() {}\n",
            vec!["class Pier", "length", "build", "run"],
        ),
        (
            "a.ts",
            "interface A { b: number }\nexport function run(x: A): void {}\n",
            vec!["interface A", "run"],
        ),
        (
            "a.go",
            "package p\n\ntype Pier struct{}\n\nfunc (p Pier) Len() int { return 1 }\n",
            vec!["type Pier", "(p Pier) Len"],
        ),
        (
            "a.java",
            "class Pier {\n  Pier() {}\n  int len() { return 1; }\n}\n",
            vec!["class Pier", "Pier", "len"],
        ),
        (
            "a.c",
            "struct pier { int n; };\nstatic int *len(struct pier *p) { return 0; }\n",
            vec!["struct pier", "len"],
        ),
        (
            "a.cpp",
            "namespace port {\nclass Pier { int len() { return 1; } };\n}\nint port::run() { return 0; }\n",
            vec!["namespace port", "class Pier", "len", "port::run"],
        ),
    ] {
        let parsed = only(&write(folder.path(), name, source));
        assert_eq!(headings(&parsed), expected, "{name}");
        assert_eq!(parsed.document.kind, DocumentKind::SourceCode);
    }
}

#[test]
fn a_definition_takes_its_comments_along() {
    let folder = tempfile::tempdir().unwrap();
    let source = "use a::b;\n\n/// What it is.\n/// More.\n#[inline]\nfn first() {\n    1;\n}\n\nfn second() {}\n";
    let parsed = only(&write(folder.path(), "a.rs", source));
    let options = ChunkOptions {
        min_tokens: 0,
        ..ChunkOptions::default()
    };
    let passages = chunk(&parsed.document, &parsed.outline, &options, &TokenEstimate);
    let texts: Vec<&str> = passages.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "use a::b;",
            "/// What it is.\n/// More.\n#[inline]\nfn first() {\n    1;\n}",
            "fn second() {}"
        ]
    );
    assert_eq!(passages[1].location.to_string(), "line 3, fn first");
}

#[test]
fn the_file_s_own_date_stands_in_for_a_stated_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = write(folder.path(), "a.txt", "text");
    file.modified = Some(std::time::UNIX_EPOCH + std::time::Duration::from_secs(951_782_401));
    assert_eq!(only(&file).document.date.unwrap().to_string(), "2000-02-29");
}

#[test]
fn the_hash_follows_title_text_date_and_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let mut hashes: Vec<_> = [
        "---\ntitle: a\n---\nx",
        "---\ntitle: b\n---\nx",
        "---\nk: v\n---\nx",
        "x",
        "y",
    ]
    .iter()
    .map(|source| {
        let mut file = write(folder.path(), "a.md", source);
        file.modified = None;
        only(&file).document.hash
    })
    .collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 5);
}
