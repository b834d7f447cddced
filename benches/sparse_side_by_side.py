#!/usr/bin/env python3
"""Is sparse search ahead of Seismic (pyseismic-lsr) at equal recall?

Postings are synthetic and shaped like a SPLADE encoder's: 30,000 terms, 120 in a passage and 40 in a
query on average, half of them from the passage's two topics (of 500, each 400 terms), half from all by
a power law (`--topics 100 --skew 6`: lists are longer), weights by a gamma distribution. Queries are
drawn alike. Both are built with their defaults from vectors in memory, and search one query at a time
on one thread, ten results; Seismic by whichever is faster of one call a query and one call for all.
For each the settings are raised until recall@10 against the exact result, which NumPy computes from the
f32 weights, reaches 0.95 and 0.99: postings that ours reads and passages that it scores again; terms of
the query that Seismic goes through and the share of the worst kept score below which it skips blocks.
The fastest that reaches it is shown. Rounds are interleaved, figures are medians. Peak memory is that of
building, on top of the passages.

Sets up its own environment: python3 benches/sparse_side_by_side.py [--rows 10000 100000]
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time

import environment

environment.enter(["pyseismic-lsr", "numpy"], ["seismic", "numpy"])

import numpy as np  # noqa: E402
import seismic  # noqa: E402

VOCABULARY, TOPIC_TERMS, K = 30_000, 400, 10
TERMS = (3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
READ = (1000, 2000, 3000, 5000, 7500, 10_000, 15_000, 20_000, 30_000, 50_000, 75_000, 100_000,
        150_000, 200_000, 300_000, 500_000)
SPARES = (0, 2, 5, 10, 20, 30, 50, 100, 150, 200, 300)
FACTORS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)


def vectors(n, mean, rng, topics, skew):
    out = []
    for _ in range(n):
        size = max(3, rng.poisson(mean))
        chosen = topics[rng.integers(len(topics), size=2)].reshape(-1)
        own = chosen[(len(chosen) * rng.random(size // 2) ** 2).astype(int)]
        common = (VOCABULARY * rng.random(size - size // 2) ** skew).astype(np.uint32)
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


def exact(passages, queries):
    """The ten best of each query, by products in f64 over the f32 weights."""
    starts = np.cumsum([0] + [len(terms) for terms, _ in passages[:-1]])
    terms = np.concatenate([terms for terms, _ in passages])
    weights = np.concatenate([weights for _, weights in passages])
    best = []
    for own, values in queries:
        dense = np.zeros(VOCABULARY)
        dense[own] = values
        scores = np.add.reduceat(weights * dense[terms], starts)
        best.append(np.argsort(-scores, kind="stable")[:K])
    return np.array(best)


class Ours:
    name = "indago"
    settings = tuple(itertools.product(READ, SPARES))

    def __init__(self, passages, queries, postings):
        program = environment.program("sparse")
        cut = [f"postings={postings}"] if postings else []
        with tempfile.NamedTemporaryFile(suffix=".sparse") as file:
            write(file, passages, queries)
            self.served = environment.Served([program, "serve", file.name, *cut])
            seconds, size, peak = self.served.line()
        self.build, self.bytes, self.n = float(seconds), int(size), len(queries)
        self.peak = int(peak)

    def ids(self, postings, spare):
        return np.array(self.served.ask("ids", postings, spare, K), np.int64).reshape(self.n, K)

    def seconds(self, postings, spare):
        return float(self.served.ask("search", postings, spare, K)[0])


class Seismic:
    name = "Seismic"
    settings = tuple(itertools.product(TERMS, FACTORS))

    def __init__(self, passages, queries):
        string = seismic.get_seismic_string()
        offsets = np.cumsum([0] + [len(terms) for terms, _ in passages])
        terms = np.concatenate([terms for terms, _ in passages]).astype(np.int64)
        weights = np.concatenate([weights for _, weights in passages])
        with environment.Made() as made:
            dataset = seismic.SeismicDataset(VOCABULARY)
            dataset.add_documents_by_id([str(i) for i in range(len(passages))], terms, weights, offsets)
            self.index = seismic.SeismicIndex.build_from_dataset(dataset)
        self.build, self.peak = made.seconds, made.peak
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(f"{folder}/index")
            self.bytes = sum(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder))
        self.queries = [(terms.astype(str).astype(string), weights) for terms, weights in queries]
        self.names = np.array([str(i) for i in range(len(queries))], string)
        self.n = len(queries)

    def one_by_one(self, terms, factor):
        return [
            self.index.search(
                query_id=str(i), query_components=components, query_values=values, k=K,
                query_cut=terms, heap_factor=factor)
            for i, (components, values) in enumerate(self.queries)]

    def at_once(self, terms, factor):
        components, values = zip(*self.queries)
        return self.index.batch_search(
            queries_ids=self.names, query_components=list(components), query_values=list(values), k=K,
            query_cut=terms, heap_factor=factor, num_threads=1)

    def ids(self, terms, factor):
        out = np.full((self.n, K), -1)
        for row, found in zip(out, self.one_by_one(terms, factor)):
            row[: len(found)] = [int(hit[2]) for hit in found]
        return out

    def seconds(self, terms, factor):
        times = []
        for run in (self.one_by_one, self.at_once):
            begin = time.perf_counter()
            run(terms, factor)
            times.append(time.perf_counter() - begin)
        return min(times)


def recall(found, exact):
    return sum(len(set(f) & set(e)) for f, e in zip(found.tolist(), exact.tolist())) / exact.size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--topics", type=int, default=500)
    parser.add_argument("--skew", type=float, default=3, help="how much the terms that all share repeat")
    parser.add_argument("--postings", type=int, help="of a list of ours, at most; else its default")
    parser.add_argument("--alone", action="store_true", help="without Seismic, which takes long to build")
    args = parser.parse_args()
    print("| passages | index | build s | bytes a passage | peak MB | recall@10 | terms; factor, or postings; passages scored again | ms a query | Seismic / ours |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for n in args.rows:
        rng = np.random.default_rng(7)
        topics = np.stack([rng.choice(VOCABULARY, TOPIC_TERMS, replace=False) for _ in range(args.topics)])
        passages = vectors(n, 120, rng, topics, args.skew)
        queries = vectors(args.queries, 40, rng, topics, args.skew)
        indexes = [Ours(passages, queries, args.postings)]
        if not args.alone:
            indexes.append(Seismic(passages, queries))
        best = exact(passages, queries)
        settings = {}
        for index in indexes:
            tried = []
            for setting in index.settings:
                seconds = min(index.seconds(*setting) for _ in range(3))
                tried.append((seconds, recall(index.ids(*setting), best), *setting))
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
                shape = f"| {n:,} | {index.name} | {index.build:.1f} | {index.bytes / n:.0f} | {index.peak / 1024:.0f} "
                if not reached:
                    print(f"{shape}| {target} not reached | | | |", flush=True)
                    continue
                ms = 1e3 * statistics.median(times[index.name, target]) / args.queries
                ours = times.get(("indago", target))
                ratio = f"{ms / (1e3 * statistics.median(ours) / args.queries):.2f}" if ours else ""
                print(f"{shape}| {reached[0]:.3f} | {reached[1]}; {reached[2]} | {ms:.3f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
