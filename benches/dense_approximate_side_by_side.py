#!/usr/bin/env python3
"""Is approximate dense search ahead of faiss's and usearch's HNSW at equal recall?

Rows: vectors of real passages, encoded here (`--data DIR`, a folder of sets in BEIR's layout; or
`--vectors FILE --dim 384`, f32 values), more of them made from these: a new row is the mean of two
near real rows, with noise of the size of a row's distance to its nearest neighbour in the directions
of a third pair, of length 1. Without either: synthetic clusters. Queries are drawn alike and are not
among the rows.
faiss: IndexHNSWFlat (M 32 links at the bottom, efConstruction 200), inner product, f32; and HNSW over
8-bit codes (IndexHNSWSQ). usearch: connectivity 16, expansion_add 128, f32 and i8. All search one
query at a time on one thread; building uses all. For each index the beam (efSearch) is raised until
recall@10 against the exact f32 result reaches 0.95 and 0.99; rounds are interleaved and figures are
medians, ratios are of medians. Peaks of memory while building are on top of the f32 rows given.

Sets up its own environment: python3 benches/dense_approximate_side_by_side.py [--rows 10000 100000]
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import environment

TARGETS = (0.95, 0.99)
BEAMS = [10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024]
K = 10


def encoded(folder, dim):
    """Vectors of the documents of all sets in `folder`, equal ones once."""
    import numpy as np

    texts = []
    for corpus in sorted(Path(folder).glob("*/corpus.jsonl.gz")):
        with gzip.open(corpus, "rt", encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                texts.append(json.dumps(f"{line.get('title', '')}\n\n{line['text']}".strip()))
    program = environment.program("encode")
    out = subprocess.run([program, "vectors"], input="\n".join(texts).encode(), stdout=subprocess.PIPE,
                         check=True).stdout
    return np.unique(np.frombuffer(out, dtype="<f4").reshape(-1, dim), axis=0)


def rows_and_queries(real, dim, n, n_queries):
    import numpy as np

    rng = np.random.default_rng(7)
    total = n + n_queries
    if real is not None:
        real = real[rng.permutation(len(real))]
        if total > len(real):
            import faiss

            flat = faiss.IndexFlatIP(dim)
            flat.add(real)
            _, near = flat.search(real, 9)
            out = [real]
            missing = total - len(real)
            while missing > 0:
                size = min(missing, 100_000)
                a = rng.integers(len(real), size=size)
                b = near[a, rng.integers(1, 9, size=size)]
                c = rng.integers(len(real), size=size)
                d = near[c, rng.integers(1, 9, size=size)]
                share = rng.random((size, 1), dtype=np.float32)
                new = share * real[a] + (1 - share) * real[b]
                new += 0.7 * (real[c] - real[d])
                out.append(new / np.linalg.norm(new, axis=1, keepdims=True))
                missing -= size
            real = np.concatenate(out)
            real = real[rng.permutation(len(real))]
        chosen = np.ascontiguousarray(real[:total], dtype="<f4")
    else:
        centres = rng.standard_normal((max(1, int(n**0.5)), dim), dtype=np.float32)
        chosen = centres[rng.integers(len(centres), size=total)]
        chosen += rng.standard_normal(chosen.shape, dtype=np.float32)
        chosen /= np.linalg.norm(chosen, axis=1, keepdims=True)
    return chosen[:n], chosen[n:total]


class Ours:
    def __init__(self, program, rows, queries):
        import numpy as np

        file = tempfile.NamedTemporaryFile(suffix=".f32", dir=os.environ.get("TMPDIR"))
        np.concatenate([rows, queries]).astype("<f4").tofile(file.name)
        self.served = environment.Served([program, "serve", file.name, rows.shape[1], len(queries)])
        seconds, peak = self.served.line()
        self.build, self.peak = float(seconds), int(peak)
        self.n = len(queries)
        self.bytes = rows.shape[1] + 4 + 4 * 48
        file.close()

    def ids(self, beam):
        import numpy as np

        return np.array(self.served.ask("ids", beam, K), dtype=int).reshape(self.n, -1)

    def seconds(self, beam):
        return float(self.served.ask("search", beam, K)[0])


class Faiss:
    def __init__(self, rows, queries, codes):
        import faiss

        dim = rows.shape[1]
        if codes:
            kind = faiss.ScalarQuantizer.QT_8bit
            self.index = faiss.IndexHNSWSQ(dim, kind, 16, faiss.METRIC_INNER_PRODUCT)
        else:
            self.index = faiss.IndexHNSWFlat(dim, 16, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 200
        with environment.Made() as made:
            self.index.train(rows)
            self.index.add(rows)
        self.build, self.peak = made.seconds, made.peak
        self.queries = queries
        self.bytes = (1 if codes else 4) * dim + 4 * 32

    def ids(self, beam):
        self.index.hnsw.efSearch = beam
        return self.index.search(self.queries, K)[1]

    def seconds(self, beam):
        import faiss

        faiss.omp_set_num_threads(1)
        self.index.hnsw.efSearch = beam
        begin = time.perf_counter()
        # All queries in one call, on one thread: no cost of calls from Python.
        self.index.search(self.queries, K)
        taken = time.perf_counter() - begin
        faiss.omp_set_num_threads(os.cpu_count())
        return taken


class Usearch:
    def __init__(self, rows, queries, dtype):
        import numpy as np
        from usearch.index import Index

        self.index = Index(ndim=rows.shape[1], metric="ip", dtype=dtype, connectivity=16,
                           expansion_add=128)
        with environment.Made() as made:
            self.index.add(np.arange(len(rows)), rows, threads=os.cpu_count())
        self.build, self.peak = made.seconds, made.peak
        self.queries = queries
        self.bytes = (1 if dtype == "i8" else 4) * rows.shape[1] + 4 * 32

    def ids(self, beam):
        self.index.expansion_search = beam
        return self.index.search(self.queries, K, threads=1).keys

    def seconds(self, beam):
        self.index.expansion_search = beam
        begin = time.perf_counter()
        self.index.search(self.queries, K, threads=1)
        return time.perf_counter() - begin


def recall(found, exact):
    return sum(len(set(f) & set(e)) for f, e in zip(found.tolist(), exact.tolist())) / exact.size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--program", help="a bench program built before")
    args = parser.parse_args()
    import faiss
    import numpy as np

    program = args.program or environment.program("approximate")
    real = None
    if args.data:
        real = encoded(args.data, args.dim)
    elif args.vectors:
        real = np.fromfile(args.vectors, dtype="<f4").reshape(-1, args.dim)
    if real is not None:
        print(f"{len(real)} real rows\n")
    print("| rows | index | build s | peak MB | bytes a row | recall@10 | beam | ms a query | ours is faster by |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for n in args.rows:
        rows, queries = rows_and_queries(real, args.dim, n, args.queries)
        flat = faiss.IndexFlatIP(args.dim)
        flat.add(rows)
        exact = flat.search(queries, K)[1]
        del flat
        made = {
            "indago": lambda: Ours(program, rows, queries),
            "faiss HNSW": lambda: Faiss(rows, queries, False),
            "faiss HNSW 8 bit": lambda: Faiss(rows, queries, True),
            "usearch f32": lambda: Usearch(rows, queries, "f32"),
            "usearch i8": lambda: Usearch(rows, queries, "i8"),
        }
        indexes = {name: make() for name, make in made.items() if not args.only or name in args.only}
        exact_ms = []
        for target in TARGETS:
            beams, reached = {}, {}
            for name, index in indexes.items():
                for beam in BEAMS:
                    reached[name] = recall(index.ids(beam), exact)
                    beams[name] = beam
                    if reached[name] >= target:
                        break
            taken = {name: [] for name in indexes}
            for _ in range(args.rounds):
                for name, index in indexes.items():
                    taken[name].append(index.seconds(beams[name]))
                exact_ms.append(float(indexes["indago"].served.ask("exact", K)[0]) / args.queries * 1e3)
            for name, index in indexes.items():
                ms = statistics.median(taken[name]) / args.queries * 1e3
                ours = statistics.median(taken["indago"]) / args.queries * 1e3
                print(f"| {n} | {name} | {index.build:.1f} | {index.peak // 1024} | {index.bytes} | {reached[name]:.4f} | "
                      f"{beams[name]} | {ms:.3f} | {ms / ours:.2f} |", flush=True)
        print(f"| {n} | indago, exact 8 bit, {os.cpu_count()} threads | | | {args.dim + 4} | | | "
              f"{statistics.median(exact_ms):.3f} | {statistics.median(exact_ms) / ours:.2f} |")
        indexes["indago"].served.process.stdin.close()
        indexes["indago"].served.process.wait()


if __name__ == "__main__":
    environment.enter(["faiss-cpu", "usearch", "numpy"], ["faiss", "usearch", "numpy"])
    main()
