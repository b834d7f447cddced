#!/usr/bin/env python3
"""Is lexical search ahead of bm25s, at indexing and at searching?

Corpus: every record of the data sets under --data (title, blank line, text). Queries: all their
questions. Both sides stop and stem English alike, use both cores where they can, start from the
JSONL file and end with the top 100 of every query. indago is timed as a whole process (parsing,
storing the documents and starting up included); bm25s without Python's start and imports, which
favours it. Rounds are interleaved; the ratio is of medians.
"""

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import bm25s
import Stemmer

ROOT = Path(__file__).resolve().parent.parent


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--indago", default=str(ROOT / "target/release/indago"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="indago-bm25-"))
    corpus, queries = work / "corpus.jsonl", work / "queries.jsonl"
    n_documents = 0
    with open(corpus, "w", encoding="utf-8") as out:
        for path in sorted(Path(options.data).glob("*/corpus.jsonl.gz")):
            for line in gzip.open(path, "rt", encoding="utf-8"):
                row = json.loads(line)
                out.write(
                    json.dumps({"_id": f"d{n_documents}", "title": row.get("title") or "", "text": row["text"]})
                    + "\n"
                )
                n_documents += 1
    n_queries = 0
    with open(queries, "w", encoding="utf-8") as out:
        for path in sorted(Path(options.data).glob("*/queries.jsonl")):
            for line in open(path, encoding="utf-8"):
                out.write(json.dumps({"_id": f"q{n_queries}", "text": json.loads(line)["text"]}) + "\n")
                n_queries += 1
    size = corpus.stat().st_size / 1e6

    def indago_index():
        shutil.rmtree(work / "p", ignore_errors=True)
        (work / "p").mkdir()
        subprocess.run(
            [options.indago, "index", corpus, "--no-vectors", "--quiet", "--project", work / "p"],
            check=True, stdout=subprocess.DEVNULL,
        )

    def indago_search():
        subprocess.run(
            [options.indago, "search", "--batch", queries, "--k", "100", "--retriever", "bm25",
             "--quiet", "--project", work / "p", "--out", work / "run.trec"],
            check=True, stdout=subprocess.DEVNULL,
        )

    stemmer = Stemmer.Stemmer("english")
    state = {}

    def peer_index():
        texts = []
        for line in open(corpus, encoding="utf-8"):
            row = json.loads(line)
            texts.append(f"{row['title']}\n\n{row['text']}")
        tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
        retriever = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
        retriever.index(tokens, show_progress=False)
        retriever.save(str(work / "bm25s"))
        state["retriever"] = retriever

    def peer_search():
        texts = [json.loads(line)["text"] for line in open(queries, encoding="utf-8")]
        tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
        state["retriever"].retrieve(tokens, k=100, show_progress=False, n_threads=2)

    times = {"indago index": [], "bm25s index": [], "indago search": [], "bm25s search": []}
    try:
        for _ in range(options.repeats):
            for name, job in (
                ("indago index", indago_index), ("bm25s index", peer_index),
                ("indago search", indago_search), ("bm25s search", peer_search),
            ):
                times[name].append(timed(job)[0])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{n_documents} documents, {size:.1f} MB, {n_queries} queries, top 100\n")
    print("| step | indago, s (min / median / max) | bm25s, s | bm25s / indago |")
    print("|---|---|---|---|")
    for step in ("index", "search"):
        ours, theirs = times[f"indago {step}"], times[f"bm25s {step}"]
        cells = [" / ".join(f"{f(t):.2f}" for f in (min, statistics.median, max)) for t in (ours, theirs)]
        print(f"| {step} | {cells[0]} | {cells[1]} | {statistics.median(theirs) / statistics.median(ours):.2f} |")


if __name__ == "__main__":
    main()
