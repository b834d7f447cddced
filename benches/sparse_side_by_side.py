#!/usr/bin/env python3
"""Is sparse search ahead of Seismic (pyseismic-lsr) at equal recall?

Postings are synthetic and shaped like a SPLADE encoder's: 30,000 terms, 120 in a passage and 40 in a
query on average, half of them from the passage's two topics (of 500, each 400 terms), half from all by
a power law, weights by a gamma distribution. Queries are drawn alike. Both search one query at a time
on one thread, ten results; for each the settings are raised (terms of the query that are gone
through, and the share of the worst kept score below which blocks are skipped) until recall@10
against the exact result reaches 0.95 and 0.99: the fastest that does is shown. Rounds are
interleaved, figures are medians.

Sets up its own environment: python3 benches/sparse_side_by_side.py [--rows 10000 100000]
"""

import argparse
import itertools
import statistics
import tempfile
import time

import environment

environment.enter(["pyseismic-lsr", "numpy"], ["seismic", "numpy"])

import numpy as np  # noqa: E402
import seismic  # noqa: E402

VOCABULARY, TOPICS, K = 30_000, 500, 10
TERMS = (3, 5, 8, 10, 15, 20, 30, 50)
FACTORS = (1.0, 0.9, 0.8, 0.7, 0.6)


def vectors(n, mean, rng, topics):
    out = []
    for _ in range(n):
        size = max(3, rng.poisson(mean))
        chosen = topics[rng.integers(TOPICS, size=2)].reshape(-1)
        own = chosen[(len(chosen) * rng.random(size // 2) ** 2).astype(int)]
        common = (VOCABULARY * rng.random(size - size // 2) ** 3).astype(np.uint32)
        terms = np.unique(np.concatenate([own, common]).astype(np.uint32))
        out.append((terms, rng.gamma(2.0, 0.4, len(terms)).astype("<f4")))
    return out


def write(file, passages, queries):
    file.write(np.array([len(passages), len(queries), VOCABULARY], "<u4").tobytes())
    for terms, weights in passages + queries:
        entries = np.empty((len(terms), 2), "<u4")
        entries[:, 0] = terms
        entries[:, 1] = weights.view("<u4")
        file.write(np.uint32(len(terms)).tobytes() + entries.tobytes())
    file.flush()


class Ours:
    name = "indago"

    def __init__(self, passages, queries):
        program = environment.program("sparse")
        with tempfile.NamedTemporaryFile(suffix=".sparse") as file:
            write(file, passages, queries)
            self.served = environment.Served([program, "serve", file.name])
            seconds, size = self.served.line()
        self.build, self.bytes, self.n = float(seconds), int(size), len(queries)

    def exact(self):
        return np.array(self.served.ask("exact-ids", K), np.int64).reshape(self.n, K)

    def ids(self, terms, factor):
        return np.array(self.served.ask("ids", terms, factor, K), np.int64).reshape(self.n, K)

    def seconds(self, terms, factor):
        return float(self.served.ask("search", terms, factor, K)[0])


class Seismic:
    name = "Seismic"

    def __init__(self, passages, queries):
        import json
        import os

        string = seismic.get_seismic_string()
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            for i, (terms, weights) in enumerate(passages):
                vector = {str(t): float(w) for t, w in zip(terms, weights)}
                file.write(json.dumps({"id": i, "content": "", "vector": vector}) + "\n")
            file.flush()
            begin = time.perf_counter()
            # Its reading of JSON is part of this.
            self.index = seismic.SeismicIndex.build(file.name)
            self.build = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(f"{folder}/index")
            self.bytes = sum(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder))
        self.queries = [(terms.astype(str).astype(string), weights) for terms, weights in queries]
        self.n = len(queries)

    def run(self, terms, factor):
        found = []
        for i, (components, values) in enumerate(self.queries):
            found.append(self.index.search(
                query_id=str(i), query_components=components, query_values=values, k=K,
                query_cut=terms, heap_factor=factor))
        return found

    def ids(self, terms, factor):
        out = np.full((self.n, K), -1)
        for row, found in zip(out, self.run(terms, factor)):
            row[: len(found)] = [int(hit[2]) for hit in found]
        return out

    def seconds(self, terms, factor):
        begin = time.perf_counter()
        self.run(terms, factor)
        return time.perf_counter() - begin


def recall(found, exact):
    return sum(len(set(f) & set(e)) for f, e in zip(found.tolist(), exact.tolist())) / exact.size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print("| passages | index | build s | bytes a passage | recall@10 | terms, factor | ms a query | Seismic / ours |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for n in args.rows:
        rng = np.random.default_rng(7)
        topics = np.stack([rng.choice(VOCABULARY, 400, replace=False) for _ in range(TOPICS)])
        passages, queries = vectors(n, 120, rng, topics), vectors(args.queries, 40, rng, topics)
        indexes = [Ours(passages, queries), Seismic(passages, queries)]
        exact = indexes[0].exact()
        settings = {}
        for index in indexes:
            tried = []
            for terms, factor in itertools.product(TERMS, FACTORS):
                tried.append((index.seconds(terms, factor), recall(index.ids(terms, factor), exact), terms, factor))
            for target in (0.95, 0.99):
                reached = [t for t in sorted(tried) if t[1] >= target]
                settings[index.name, target] = reached[0][1:] if reached else None
        times = {key: [] for key, value in settings.items() if value}
        for _ in range(args.rounds):
            for index in indexes:
                for target in (0.95, 0.99):
                    if settings[index.name, target]:
                        times[index.name, target].append(index.seconds(*settings[index.name, target][1:]))
        for target in (0.95, 0.99):
            for index in indexes:
                reached = settings[index.name, target]
                shape = f"| {n:,} | {index.name} | {index.build:.1f} | {index.bytes / n:.0f} "
                if not reached:
                    print(f"{shape}| {target} not reached | | | |", flush=True)
                    continue
                ms = 1e3 * statistics.median(times[index.name, target]) / args.queries
                ours = times.get(("indago", target))
                ratio = f"{ms / (1e3 * statistics.median(ours) / args.queries):.2f}" if ours else ""
                print(f"{shape}| {reached[0]:.3f} | {reached[1]}, {reached[2]} | {ms:.3f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
