#!/usr/bin/env python3
"""How fast are indexing, asking and starting, and how much memory do they take?

Corpora: (a) the records of the data sets under --data as one JSONL file; (b) the same text as
Markdown files of about 20 kB in a folder tree; (c) 10,000 records for asking; (d) 100,000 records
(repeated with a varied first word) and 100,000 sentences with vectors for memory; (e) the PDFs of the example corpus, repeated.
Whole processes are timed, warm page cache, with the machine's cores as they are. Standard library
only; peak memory is the kernel's maximum resident set of the process.
"""

import argparse
import gzip
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(arguments, cwd):
    """Runs a command; returns wall seconds, peak resident bytes and its stdout."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(a) for a in arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(map(str, arguments))} ended with {process.returncode}")
    return wall, usage.ru_maxrss * 1024, out


def records(data):
    for corpus in sorted(Path(data).glob("*/corpus.jsonl.gz")):
        with gzip.open(corpus, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def questions(data, sets):
    for name in sets:
        path = Path(data) / name / "queries.jsonl"
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                yield {"_id": record["_id"], "text": record["text"]}


def write_jsonl(path, rows):
    size = 0
    with open(path, "w", encoding="utf-8") as out:
        for i, row in enumerate(rows):
            line = json.dumps(
                {"_id": f"d{i}", "title": row.get("title") or "", "text": row["text"]},
                ensure_ascii=False,
            )
            size += out.write(line + "\n")
    return os.path.getsize(path)


def sentences(rows):
    for row in rows:
        for text in re.split(r"(?<=[.!?])\s+", row["text"] or ""):
            if 60 < len(text) < 200:
                yield {"title": row.get("title"), "text": text}


def write_tree(folder, rows, target_bytes=20_000):
    n_files, size, part = 0, 0, []
    for row in rows:
        part.append(f"## {row.get('title') or 'Note'}\n\n{row['text']}\n")
        if sum(map(len, part)) > target_bytes:
            path = folder / f"{n_files // 100:03}" / f"{n_files:05}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# File {n_files}\n\n" + "\n".join(part), encoding="utf-8")
            size += path.stat().st_size
            n_files, part = n_files + 1, []
    return n_files, size


def spread(values, form="{:.1f}"):
    return " / ".join(form.format(f(values)) for f in (min, statistics.median, max))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--indago", default=str(ROOT / "target/release/indago"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args()
    indago = Path(options.indago).resolve()
    rows = list(records(options.data))
    print("| what | figure (min / median / max) |")
    print("|---|---|")
    print(f"| binary size | {indago.stat().st_size / 1e6:.1f} MB |")
    work = Path(tempfile.mkdtemp(prefix="indago-bench-"))
    try:
        cold = [run([indago, "--version"], work)[0] * 1e3 for _ in range(20)]
        print(f"| start of the binary (`--version`), ms | {spread(cold)} |")

        jsonl = work / "all.jsonl"
        size = write_jsonl(jsonl, rows)
        tree = work / "tree"
        n_files, tree_size = write_tree(tree, rows)
        for label, path, n, n_bytes in (
            ("JSONL", jsonl, len(rows), size),
            ("Markdown tree", tree, n_files, tree_size),
        ):
            times, peaks = [], []
            for i in range(options.repeats):
                shutil.rmtree(work / "p", ignore_errors=True)
                (work / "p").mkdir()
                wall, peak, _ = run(
                    [indago, "index", path, "--no-vectors", "--quiet", "--project", work / "p"], work
                )
                times.append(wall)
                peaks.append(peak / 1e6)
            print(
                f"| index lexically, {label}: {n} documents, {n_bytes / 1e6:.1f} MB, MB/s |"
                f" {spread([n_bytes / 1e6 / t for t in times])} |"
            )
            print(
                f"| the same, documents/s; peak memory, MB |"
                f" {spread([n / t for t in times], '{:.0f}')}; {spread(peaks, '{:.0f}')} |"
            )
        pdfs = work / "pdfs"
        pdfs.mkdir()
        originals = sorted((ROOT / "examples/corpus").rglob("*.pdf"))
        pdf_bytes = 0
        for i in range(100):
            for original in originals:
                # A trailing comment makes every copy a document of its own.
                content = original.read_bytes() + f"\n%{i}\n".encode()
                (pdfs / f"{original.stem}-{i}.pdf").write_bytes(content)
                pdf_bytes += len(content)
        times = []
        for _ in range(options.repeats):
            shutil.rmtree(work / "p", ignore_errors=True)
            (work / "p").mkdir()
            times.append(
                run([indago, "index", pdfs, "--no-vectors", "--quiet", "--project", work / "p"], work)[0]
            )
        n_pdfs = 100 * len(originals)
        print(
            f"| index lexically, PDF: {n_pdfs} documents, {pdf_bytes / 1e6:.1f} MB, MB/s; documents/s |"
            f" {spread([pdf_bytes / 1e6 / t for t in times])};"
            f" {spread([n_pdfs / t for t in times], '{:.0f}')} |"
        )

        # Asking: 10,000 records of the multi-hop sets, with vectors, questions of the same sets.
        multi_hop = ["musique", "2wiki", "hotpotqa"]
        ask_rows = []
        for name in multi_hop:
            with gzip.open(Path(options.data) / name / "corpus.jsonl.gz", "rt") as lines:
                ask_rows += [json.loads(line) for _, line in zip(range(3334), lines)]
        ten = work / "ten.jsonl"
        write_jsonl(ten, ask_rows[:10_000])
        project = work / "ask"
        project.mkdir()
        wall, peak, _ = run([indago, "index", ten, "--quiet", "--project", project], work)
        print(f"| index 10,000 records with vectors, s; peak memory, MB | {wall:.1f}; {peak / 1e6:.0f} |")
        asked = list(questions(options.data, multi_hop))[: options.questions]
        batch = work / "questions.jsonl"
        batch.write_text("".join(json.dumps(q) + "\n" for q in asked), encoding="utf-8")
        wall, peak, out = run([indago, "ask", "--batch", batch, "--quiet", "--project", project], work)
        took = sorted(json.loads(line)["usage"]["wall_ms"] for line in out.splitlines())
        p50, p99 = took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.99))]
        print(
            f"| `ask` on 10,000 passages, warm, {len(took)} questions, ms: p50; p99; whole batch / questions |"
            f" {p50}; {p99}; {wall * 1e3 / len(took):.0f} |"
        )
        print(f"| peak memory of that batch, MB | {peak / 1e6:.0f} |")
        single = [
            run([indago, "ask", asked[i]["text"], "--quiet", "--project", project], work)[0] * 1e3
            for i in range(10)
        ]
        print(f"| one `ask` as a whole process, ms | {spread(single, '{:.0f}')} |")

        if not options.skip_memory:
            big = work / "big.jsonl"
            repeated = (
                {"title": row.get("title"), "text": f"Copy{i // len(rows)} {row['text']}"}
                for i, row in zip(range(100_000), (rows * (100_000 // len(rows) + 1)))
            )
            write_jsonl(big, repeated)
            project = work / "memory"
            project.mkdir()
            wall, peak, _ = run([indago, "index", big, "--no-vectors", "--quiet", "--project", project], work)
            print(f"| index 100,000 records lexically, s; peak memory, MB | {wall:.1f}; {peak / 1e6:.0f} |")
            _, peak, _ = run([indago, "ask", "--batch", batch, "--quiet", "--project", project], work)
            print(f"| peak memory of `ask` on 100,000 records without vectors, MB | {peak / 1e6:.0f} |")

            short = work / "short.jsonl"
            write_jsonl(short, itertools.islice(sentences(rows), 100_000))
            project = work / "vectors"
            project.mkdir()
            run([indago, "index", short, "--quiet", "--project", project], work)
            _, peak, _ = run([indago, "ask", "--batch", batch, "--quiet", "--project", project], work)
            print(f"| peak memory of `ask` on 100,000 passages with vectors, MB | {peak / 1e6:.0f} |")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
