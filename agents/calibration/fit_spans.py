"""Fits the coefficients of spans in `agents/src/weights.rs` to rows of `examples/calibrate.rs --spans`.

    cargo run --release --example calibrate -- --data DIR --work DIR --half dev \
        --sets musique,2wiki,hotpotqa,multihop-rag-evidence --spans spans.tsv
    cargo run --release --example calibrate -- --data READING --work DIR --sets squad \
        --spans reading.tsv
    python agents/calibration/fit_spans.py agents/src/weights.rs spans.tsv reading.tsv

A conditional logit: within a question, the probability that one of the right spans is chosen. Only
questions with a right span among them count; where none is exact, the best that share at least
HALF of their words with an answer do. Every set weighs as WEIGHT says. Prints how many questions
the coefficients answer, also when fitted on the other two thirds. Give `-` instead of the file of
weights to change nothing.
"""

import re
import sys

import numpy as np

RIDGE = 0.003
STEPS = 300
HALF = 0.6
FOLDS = 3
WEIGHT = {"squad": 1.5, "popqa": 1.0, "examples": 0.0, "quality": 0.0}


def read(paths):
    """Rows by question: scores, features."""
    questions = {}
    for path in paths:
        for line in open(path, encoding="utf-8"):
            name, question, score, _, values = line.rstrip("\n").split("\t", 4)
            rows = questions.setdefault((name, question), ([], []))
            rows[0].append(float(score))
            rows[1].append(np.array(values.split("\t"), dtype=np.float32))
    return [(key, np.array(y), np.array(x)) for key, (y, x) in sorted(questions.items())]


class Rows:
    """The rows of many questions in one matrix."""

    def __init__(self, data):
        self.names = [key[0] for key, _, _ in data]
        self.score = np.concatenate([y for _, y, _ in data])
        self.x = np.concatenate([x for _, _, x in data]).astype(np.float32)
        sizes = np.array([len(y) for _, y, _ in data])
        self.start = np.r_[0, np.cumsum(sizes)[:-1]]
        self.of = np.repeat(np.arange(len(data)), sizes)
        best = np.maximum.reduceat(self.score, self.start)
        wanted = np.where(best >= 1, 1.0, np.maximum(best, HALF))
        self.y = (self.score >= wanted[self.of] - 1e-9).astype(float)
        self.usable = np.add.reduceat(self.y, self.start) > 0
        count = {n: sum(1 for m, u in zip(self.names, self.usable) if m == n and u) for n in set(self.names)}
        weight = [WEIGHT.get(n, 1.0) / max(count[n], 1) for n in self.names]
        self.weight = np.array(weight) * self.usable
        self.weight /= self.weight.sum()

    def softmax(self, s):
        s = s - np.maximum.reduceat(s, self.start)[self.of]
        p = np.exp(s)
        return p / np.add.reduceat(p, self.start)[self.of]


def fit(rows, scale):
    z = rows.x / scale.astype(np.float32)
    theta = np.zeros(len(scale))
    moment, second = np.zeros_like(theta), np.zeros_like(theta)
    w = rows.weight[rows.of]
    for step in range(1, STEPS + 1):
        p = rows.softmax((z @ theta.astype(np.float32)).astype(np.float64))
        q = p * rows.y
        q /= np.maximum(np.add.reduceat(q, rows.start), 1e-12)[rows.of]
        gradient = 2 * RIDGE * theta - (w * (q - p)).astype(np.float32) @ z
        moment = 0.9 * moment + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        rate = 0.05 * (1 - step / (STEPS + 1))
        theta -= rate * (moment / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-9)
    return theta / scale


def right(theta, data):
    hits = {}
    for (name, _), y, x in data:
        exact, soft, n = hits.get(name, (0, 0.0, 0))
        chosen = y[np.argmax(x @ theta)]
        hits[name] = (exact + int(chosen >= 1), soft + float(chosen), n + 1)
    return hits


def main(path, *sources):
    data = read(sources)
    rows = Rows(data)
    scale = rows.x.std(0)
    scale[scale == 0] = 1
    held = {}
    for fold in range(FOLDS):
        train = [d for i, d in enumerate(data) if i % FOLDS != fold]
        test = [d for i, d in enumerate(data) if i % FOLDS == fold]
        for name, values in right(fit(Rows(train), scale), test).items():
            held[name] = tuple(a + b for a, b in zip(held.get(name, (0, 0, 0)), values))
    theta = fit(rows, scale)
    fitted = right(theta, data)
    for name in sorted(held):
        exact, soft, n = held[name]
        print(f"{name:<24} n {n:>5}  held out EM {exact:>4} F1 {soft:7.1f}  fitted EM {fitted[name][0]:>4} F1 {fitted[name][1]:7.1f}")
    print(np.round(theta, 2).tolist())
    if path != "-":
        source = open(path, encoding="utf-8").read()
        values = ", ".join(f"{t:.4f}" for t in theta)
        start = source.index("pub(crate) const SPAN:")
        end = source.index(";\n", source.index("=", start))
        line = f"pub(crate) const SPAN: [f64; {len(theta)}] =\n    [{values}]"
        open(path, "w", encoding="utf-8").write(source[:start] + line + source[end:])


if __name__ == "__main__":
    main(*sys.argv[1:])
