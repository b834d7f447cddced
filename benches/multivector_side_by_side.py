#!/usr/bin/env python3
"""Is late interaction ahead of fast-plaid at equal recall?

Token vectors are synthetic: 128 values, each token one of 20,000 word vectors moved by its context
(noise of 0.6 of the word's length, shared in part by the passage); a passage has 20 to 100 tokens,
drawn by a power law from its topic's 300 words (of 500 topics) and all words. A query is 16 tokens of
a passage's words in a context of its own. Both store 4 bits a value; queries are handed over all at
once and searched one after another; `--threads` (1 unless told) is given to both. Bytes have centroids in them, and fixed dimensional
encodings where they are read. For each the candidates and probes are raised until
recall@10 against exact MaxSim over the uncompressed vectors reaches the target; rounds are
interleaved, figures are medians.

Sets up its own environment: python3 benches/multivector_side_by_side.py [--rows 10000 100000]
(fast-plaid brings torch: several gigabytes)
"""

import argparse
import itertools
import os
import resource
import statistics
import tempfile
import time

import environment

environment.enter(["fast-plaid", "numpy"], ["fast_plaid", "numpy"])

import numpy as np  # noqa: E402

DIM, WORDS, TOPICS, K = 128, 20_000, 500, 10
TARGETS = (0.9, 0.95)


def unit(x):
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype("<f4")


def made(n, n_queries, rng):
    words = unit(rng.standard_normal((WORDS, DIM), dtype=np.float32))
    topics = np.stack([rng.choice(WORDS, 300, replace=False) for _ in range(TOPICS)])

    def told(chosen, rng):
        own = rng.standard_normal((1, DIM), dtype=np.float32)
        noise = 0.5 * own + 0.85 * rng.standard_normal((len(chosen), DIM), dtype=np.float32)
        return unit(words[chosen] + 0.6 * noise / np.sqrt(DIM))

    passages, drawn = [], []
    for _ in range(n):
        size = rng.integers(20, 101)
        topic = topics[rng.integers(TOPICS)]
        own = topic[(300 * rng.random(size * 2 // 3) ** 1.5).astype(int)]
        common = (WORDS * rng.random(size - len(own)) ** 3).astype(int)
        chosen = np.concatenate([own, common])
        drawn.append(chosen)
        passages.append(told(chosen, rng))
    queries = [told(rng.choice(drawn[rng.integers(n)], 16), rng) for _ in range(n_queries)]
    return passages, queries


def exact(passages, queries):
    tokens = np.concatenate(passages)
    starts = np.cumsum([0] + [len(p) for p in passages[:-1]])
    best = []
    for query in queries:
        scores = np.maximum.reduceat(tokens @ query.T, starts, axis=0).sum(1)
        best.append(np.argsort(-scores, kind="stable")[:K])
    return np.array(best)


class Ours:
    name = "indago"

    def __init__(self, passages, queries, way):
        self.name = f"indago, {way}"
        self.way, self.n = way, len(queries)
        program = environment.program("multivector")
        with tempfile.NamedTemporaryFile(suffix=".tokens") as file:
            file.write(np.array([len(passages), len(queries), DIM], "<u4").tobytes())
            for matrix in passages + queries:
                file.write(np.uint32(len(matrix)).tobytes() + matrix.tobytes())
            file.flush()
            self.served = environment.Served([program, "serve", file.name])
            seconds, size, encodings, peak = self.served.line()
        self.build, self.peak = float(seconds), int(peak)
        # Fixed dimensional encodings are read by one way alone.
        self.bytes = int(size) + (int(encodings) if way == "muvera" else 0)
        self.settings = (
            list(itertools.product((1, 2, 4, 8, 16), (64, 128, 256, 512, 1024, 2048, 4096, 16384)))
            if way == "plaid"
            else [(0, c) for c in (50, 100, 200, 400, 800, 1600, 3200)]
        )

    def tried(self, probes, candidates):
        """Seconds for all queries, and the passages of each."""
        ids = self.served.ask("ids", self.way, probes, candidates, K)
        return self.seconds(probes, candidates), np.array(ids, np.int64).reshape(self.n, K)

    def seconds(self, probes, candidates):
        return float(self.served.ask("search", self.way, probes, candidates, K)[0])


class FastPlaid:
    name = "fast-plaid"
    settings = list(itertools.product((1, 2, 4, 8, 16), (256, 512, 1024, 2048, 4096, 16384)))

    def __init__(self, passages, queries):
        import torch
        from fast_plaid import search

        self.folder = tempfile.TemporaryDirectory()
        self.index = search.FastPlaid(index=self.folder.name, device="cpu")
        begin = time.perf_counter()
        self.index.create(documents_embeddings=[torch.from_numpy(p) for p in passages], nbits=4)
        self.build = time.perf_counter() - begin
        # Of this process: Python, torch and the vectors as they were given are in it.
        self.peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.bytes = sum(
            os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(self.folder.name) for name in names
        )
        self.queries = [torch.from_numpy(q) for q in queries]

    def tried(self, probes, candidates):
        begin = time.perf_counter()
        # One call for all queries: a call of its own for each costs more than twice the time.
        hits = self.index.search(queries_embeddings=self.queries, top_k=K, n_full_scores=candidates,
                                 n_ivf_probe=probes, show_progress=False)
        seconds = time.perf_counter() - begin
        out = np.full((len(self.queries), K), -1)
        for row, found in zip(out, hits):
            row[: len(found)] = [hit[0] for hit in found]
        return seconds, out

    def seconds(self, probes, candidates):
        return self.tried(probes, candidates)[0]


def recall(found, best):
    return sum(len(set(f) & set(e)) for f, e in zip(found.tolist(), best.tolist())) / best.size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peer-rows", type=int, default=10_000,
                        help="fast-plaid is left out above this size: it takes 25 ms a passage to build")
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    print("| passages | index | build s | peak MB | bytes a passage | recall@10 | probes, candidates | ms a query | of ours |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for n in args.rows:
        passages, queries = made(n, args.queries, np.random.default_rng(7))
        best = exact(passages, queries)
        indexes = [Ours(passages, queries, "plaid"), Ours(passages, queries, "muvera")]
        if n <= args.peer_rows:
            indexes.append(FastPlaid(passages, queries))
        settings, most = {}, {}
        for index in indexes:
            tried = []
            for setting in index.settings:
                seconds, found = index.tried(*setting)
                tried.append((seconds, recall(found, best), *setting))
            most[index.name] = max(t[1] for t in tried)
            for target in TARGETS:
                reached = [t for t in sorted(tried) if t[1] >= target]
                settings[index.name, target] = reached[0][1:] if reached else None
        times = {key: [] for key, value in settings.items() if value}
        for _ in range(args.rounds):
            for index in indexes:
                for target in TARGETS:
                    if settings[index.name, target]:
                        times[index.name, target].append(index.seconds(*settings[index.name, target][1:]))
        for target in TARGETS:
            for index in indexes:
                reached = settings[index.name, target]
                shape = f"| {n:,} | {index.name} | {index.build:.1f} | {index.peak / 1e6:.0f} | {index.bytes / n:.0f} "
                if not reached:
                    print(f"{shape}| {target} not reached, at most {most[index.name]:.3f} | | | |", flush=True)
                    continue
                ms = 1e3 * statistics.median(times[index.name, target]) / args.queries
                ours = times.get(("indago, plaid", target))
                ratio = f"{ms / (1e3 * statistics.median(ours) / args.queries):.2f}" if ours else ""
                print(f"{shape}| {reached[0]:.3f} | {reached[1]}, {reached[2]} | {ms:.2f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
