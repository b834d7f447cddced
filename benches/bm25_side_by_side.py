#!/usr/bin/env python3
"""Is lexical search ahead of bm25s, at indexing and at searching, and how do both grow?

Corpus: the records of the data sets under --data (title, blank line, text), all of them unless
--documents says how many; beyond what there is they come again, each copy with a first word and a
tenth of its words of its own. Queries: all their questions, or the first --queries of a shuffle. Both
sides stop and stem English alike, use both cores where they can, start from the JSONL file and end
with the top 100 of every query. indago is timed as a whole process (parsing, storing the documents and
starting up included); bm25s in a process of its own without Python's start, imports and the loading of
its index before a search, which favours it. Sizes are those of the folders that either leaves behind;
indago's holds the documents as well. Peak memory is each process's. Rounds are interleaved; ratios are
of medians.

Sets up its own environment: python3 benches/bm25_side_by_side.py --data DIR [--documents 10000 100000]
"""

import argparse
import gzip
import itertools
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environment

environment.enter(["bm25s", "PyStemmer"], ["bm25s", "Stemmer"])

import bm25s  # noqa: E402
import Stemmer  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
STEMMER = Stemmer.Stemmer("english")


def records(data):
    for path in sorted(Path(data).glob("*/corpus.jsonl.gz")):
        for line in gzip.open(path, "rt", encoding="utf-8"):
            row = json.loads(line)
            yield row.get("title") or "", row["text"]


def write_corpus(path, data, n_documents):
    """As many records as wanted; gives their number."""
    rng = random.Random(7)
    written = 0
    with open(path, "w", encoding="utf-8") as out:
        for copy in itertools.count():
            before = written
            for title, text in records(data):
                if n_documents and written == n_documents:
                    return written
                if copy:
                    words = text.split(" ")
                    for _ in range(len(words) // 10):
                        words[rng.randrange(len(words))] = f"w{rng.randrange(100_000)}"
                    text = f"copy{copy} " + " ".join(words)
                out.write(json.dumps({"_id": f"d{written}", "title": title, "text": text}) + "\n")
                written += 1
            if not n_documents or written == before:
                return written


def write_queries(path, data, n_queries):
    texts = []
    for file in sorted(Path(data).glob("*/queries.jsonl")):
        texts += [json.loads(line)["text"] for line in open(file, encoding="utf-8")]
    if n_queries:
        random.Random(7).shuffle(texts)
        texts = texts[:n_queries]
    lines = (json.dumps({"_id": f"q{i}", "text": text}) + "\n" for i, text in enumerate(texts))
    path.write_text("".join(lines), encoding="utf-8")
    return len(texts)


def tokens(texts):
    return bm25s.tokenize(texts, stopwords="en", stemmer=STEMMER, show_progress=False)


def peer(step, file, folder):
    """One step of bm25s; prints its seconds and the process's peak memory in bytes."""
    if step == "index":
        begin = time.perf_counter()
        rows = (json.loads(line) for line in open(file, encoding="utf-8"))
        retriever = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
        retriever.index(tokens([f"{r['title']}\n\n{r['text']}" for r in rows]), show_progress=False)
        retriever.save(folder)
    else:
        retriever = bm25s.BM25.load(folder)
        begin = time.perf_counter()
        texts = [json.loads(line)["text"] for line in open(file, encoding="utf-8")]
        retriever.retrieve(tokens(texts), k=100, show_progress=False, n_threads=2)
    print(time.perf_counter() - begin, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def run(command):
    """Runs a command; gives its output, seconds, and peak memory in bytes."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{command[0]} failed")
    return out, time.perf_counter() - begin, 1024 * usage.ru_maxrss


def bytes_in(folder):
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())


def main():
    if sys.argv[1:2] == ["--peer"]:
        return peer(*sys.argv[2:])
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--indago", default=str(ROOT / "target/release/indago"))
    parser.add_argument("--documents", type=int, nargs="+", default=[0], help="0 for all there are")
    parser.add_argument("--queries", type=int, default=0, help="0 for all there are")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print("| documents | MB | step | engine | s (min / median / max) | bm25s / indago | MB on disk | peak MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for wanted in options.documents:
        work = Path(tempfile.mkdtemp(prefix="indago-bm25-"))
        corpus, queries, project = work / "corpus.jsonl", work / "queries.jsonl", work / "p"
        try:
            n_documents = write_corpus(corpus, options.data, wanted)
            n_queries = write_queries(queries, options.data, options.queries)
            indago = [options.indago, "--quiet", "--project", project]

            def ours(step):
                if step == "index":
                    shutil.rmtree(project, ignore_errors=True)
                    project.mkdir()
                    command = ["index", corpus, "--no-vectors"]
                else:
                    command = ["search", "--batch", queries, "--k", "100", "--retriever", "bm25",
                               "--out", work / "run.trec"]
                return run([*indago, *command])[1:]

            def theirs(step):
                file = corpus if step == "index" else queries
                out, _, _ = run([sys.executable, __file__, "--peer", step, file, work / "bm25s"])
                return tuple(map(float, out.split()[-2:]))

            engines = {"indago": (ours, project / ".indago/corpora"), "bm25s": (theirs, work / "bm25s")}
            taken = {(step, name): [] for step in ("index", "search") for name in engines}
            for _ in range(options.repeats):
                for step, name in taken:
                    taken[step, name].append(engines[name][0](step))
            for (step, name), runs in taken.items():
                seconds = [seconds for seconds, _ in runs]
                median = statistics.median(seconds)
                ratio = statistics.median(s for s, _ in taken[step, "bm25s"]) / median
                spread = " / ".join(f"{f(seconds):.2f}" for f in (min, statistics.median, max))
                what = step if step == "index" else f"{n_queries:,} queries"
                disk = f"{bytes_in(engines[name][1]) / 1e6:.0f}" if step == "index" else ""
                ratio = f"{ratio:.2f}" if name == "indago" else ""
                print(
                    f"| {n_documents:,} | {corpus.stat().st_size / 1e6:.0f} | {what} | {name} | {spread} | {ratio}"
                    f" | {disk} | {max(peak for _, peak in runs) / 1e6:.0f} |", flush=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
