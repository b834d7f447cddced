"""Fits the coefficients of spans in `agents/src/weights.rs` to rows of `examples/eval.rs --spans`.

    cargo run --release -p indago-agents --example eval -- --data DIR --vectors DIR --half dev \
        --sets musique,2wiki,hotpotqa,multihop-rag-evidence --spans spans.tsv
    python agents/calibration/fit_spans.py spans.tsv agents/src/weights.rs

A conditional logit: within a question, the probability that one of the right spans is chosen. Only
questions with a right span among them count. Every set weighs the same. Prints how many questions
the coefficients answer, also when fitted on the other four fifths.
"""

import re
import sys

import numpy as np

RIDGE = 0.02


def read(path):
    questions = {}
    for line in open(path, encoding="utf-8"):
        fields = line.rstrip("\n").split("\t")
        rows = questions.setdefault((fields[0], fields[1]), ([], []))
        rows[0].append(int(fields[2]))
        rows[1].append([float(x) for x in fields[4:]])
    return {k: (np.array(y), np.array(x)) for k, (y, x) in questions.items()}


def fit(data, scale):
    sizes = {}
    for key, _ in data:
        sizes[key[0]] = sizes.get(key[0], 0) + 1
    total = len(sizes)
    theta = np.zeros(len(scale))
    moment, second = np.zeros_like(theta), np.zeros_like(theta)
    for step in range(1, 1501):
        gradient = 2 * RIDGE * theta
        for (name, _), (y, x) in data:
            z = x / scale
            s = z @ theta
            p = np.exp(s - s.max())
            p /= p.sum()
            q = p * y
            q /= max(q.sum(), 1e-12)
            gradient -= ((q - p) @ z) / (sizes[name] * total)
        moment = 0.9 * moment + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        theta -= 0.02 * (moment / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
    return theta / scale


def right(theta, data):
    hits = {}
    for (name, _), (y, x) in data:
        hit, n = hits.get(name, (0, 0))
        hits[name] = (hit + int(y[np.argmax(x @ theta)]), n + 1)
    return hits


def main():
    everything = read(sys.argv[1])
    data = sorted(
        ((k, v) for k, v in everything.items() if v[0].any()), key=lambda item: item[0]
    )
    rows = np.concatenate([x for _, (_, x) in data])
    scale = rows.std(0)
    scale[scale == 0] = 1
    held = {}
    for fold in range(5):
        train = [d for i, d in enumerate(data) if i % 5 != fold]
        test = [d for i, d in enumerate(data) if i % 5 == fold]
        for name, (hit, n) in right(fit(train, scale), test).items():
            a, b = held.get(name, (0, 0))
            held[name] = (a + hit, b + n)
    print("held out", held)
    theta = fit(data, scale)
    print("fitted", right(theta, data))
    print(np.round(theta, 3))
    if len(sys.argv) > 2:
        path = sys.argv[2]
        source = open(path, encoding="utf-8").read()
        values = ", ".join(f"{t:.4f}" for t in theta)
        start = source.index("pub(crate) const SPAN:")
        end = source.index(";\n", source.index("=", start))
        line = f"pub(crate) const SPAN: [f64; {len(theta)}] =\n    [{values}]"
        open(path, "w", encoding="utf-8").write(source[:start] + line + source[end:])


if __name__ == "__main__":
    main()
