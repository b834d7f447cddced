#!/usr/bin/env python3
"""Is personalized PageRank ahead of python-igraph's on the same graph?

Graph: passages and the phrases in them, as graph memory has it: each passage is joined with some ten
phrases, drawn by a power law from as many phrases as passages, and each edge has a weight. Seeds: 20
nodes with weights. Both on one thread, the probability of going on is 0.5 (HippoRAG), rounds are
interleaved, figures are medians. igraph's PRPACK solver runs to its own tolerance (about 1e-10);
ours to a change of 1e-7 in all nodes together; the table says how far apart the results are. Both
graphs are made from edges in memory; peaks are on top of those.

Sets up its own environment: python3 benches/pagerank_side_by_side.py [--nodes 20000 200000 2000000]
"""

import argparse
import statistics
import tempfile
import time

import environment

environment.enter(["igraph", "numpy"], ["igraph", "numpy"])

import igraph  # noqa: E402
import numpy as np  # noqa: E402


def graph(nodes, rng):
    passages = nodes // 2
    phrases = nodes - passages
    degree = rng.integers(5, 16, size=passages)
    source = np.repeat(np.arange(passages), degree)
    # Some phrases are everywhere, most in a few passages.
    target = (phrases * rng.random(len(source)) ** 3).astype(np.int64) + passages
    pairs = np.unique(np.stack([source, target], 1), axis=0)
    weights = rng.random(len(pairs)).astype("<f4") + 0.1
    return pairs.astype("<u4"), weights


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    served = environment.program("pagerank")
    print("| nodes | edges | igraph, ms | whole graph, ms | igraph / ours | pushed from the seeds, ms "
          "| igraph / ours | largest difference | same ten best, whole; pushed | build s, ours; igraph "
          "| MB, ours | peak MB, ours; igraph |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for nodes in args.nodes:
        rng = np.random.default_rng(7)
        pairs, weights = graph(nodes, rng)
        seeds = [rng.choice(nodes, 20, replace=False) for _ in range(args.queries)]
        shares = rng.random((args.queries, 20)).astype("<f4") + 0.05
        with tempfile.NamedTemporaryFile(suffix=".graph") as file:
            header = np.array([nodes, len(pairs), args.queries, 20], "<u4")
            for part in (header, pairs, weights, np.array(seeds, "<u4"), shares):
                file.write(part.tobytes())
            file.flush()
            ours = environment.Served([served, "serve", file.name])
            built = ours.line()
        with environment.Made() as made:
            theirs = igraph.Graph(n=nodes, edges=pairs, directed=False)
            attribute = weights.astype(float).tolist()
        resets = []
        for chosen, share in zip(seeds, shares):
            reset = np.zeros(nodes)
            reset[chosen] = share
            resets.append(reset.tolist())

        def igraph_all():
            begin = time.perf_counter()
            found = [
                theirs.personalized_pagerank(damping=0.5, reset=reset, weights=attribute)
                for reset in resets
            ]
            return time.perf_counter() - begin, found

        times = {"igraph": [], "whole": [], "push": []}
        for _ in range(args.rounds):
            seconds, exact = igraph_all()
            times["igraph"].append(seconds)
            for name in ("whole", "push"):
                times[name].append(float(ours.ask(name)[0]))
        exact = np.array(exact)
        whole = np.array(ours.ask("mass"), float)
        best = np.argsort(-exact, axis=1, kind="stable")[:, :10]
        same = {}
        for name in ("whole", "push"):
            top = np.array(ours.ask("top", name), int).reshape(args.queries, 10)
            same[name] = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(best, top)])
        ms = {name: 1e3 * statistics.median(values) / args.queries for name, values in times.items()}
        print(f"| {nodes:,} | {len(pairs):,} | {ms['igraph']:.2f} | {ms['whole']:.2f} "
              f"| {ms['igraph'] / ms['whole']:.1f} | {ms['push']:.2f} | {ms['igraph'] / ms['push']:.1f} "
              f"| {abs(exact[0] - whole).max():.1e} | {same['whole']:.2f}; {same['push']:.2f} "
              f"| {float(built[0]):.2f}; {made.seconds:.2f} | {int(built[1]) / 1e6:.0f} "
              f"| {int(built[2]) / 1024:.0f}; {made.peak / 1024:.0f} |", flush=True)


if __name__ == "__main__":
    main()
