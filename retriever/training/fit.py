#!/usr/bin/env python3
"""Fits the graph retriever's weights: logistic regression, each question counting alike.

    fit.py before|after FEATURES.tsv [--l2 1.0]

Prints what belongs into `retriever/src/graph/weights.rs`. The features after links rest on the
probabilities before, so `before` is fitted first and the features are written again (`README.md`).
Needs numpy.
"""

import argparse
import collections

import numpy as np

N = 13
UNLINKED = 4


def read(path):
    sets, questions, labels, rows = [], [], [], []
    with open(path) as lines:
        for line in lines:
            name, question, gold, *values = line.rstrip("\n").split("\t")
            sets.append(name)
            questions.append(f"{name}/{question}")
            labels.append(int(gold))
            rows.append([float(v) for v in values])
    return sets, questions, np.array(labels, float), np.array(rows, np.float64)


def logistic(x, y, w, l2):
    """Newton's method on standardised features; returns weights and bias for the raw ones."""
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = np.c_[(x - mean) / spread, np.ones(len(x))]
    ridge = l2 * np.r_[np.ones(x.shape[1]), 1e-6]
    theta = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ theta))
        gradient = z.T @ (w * (p - y)) + ridge * np.r_[theta[:-1], 0]
        hessian = (z * (w * p * (1 - p))[:, None]).T @ z + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if abs(step).max() < 1e-8:
            break
    weights = theta[:-1] / spread
    return weights, theta[-1] - (weights * mean).sum()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=["before", "after"])
    parser.add_argument("features")
    parser.add_argument("--l2", type=float, default=1.0)
    args = parser.parse_args()
    sets, questions, y, x = read(args.features)
    x = x[:, :N] if args.stage == "before" else x[:, N:]
    use = np.arange(UNLINKED) if args.stage == "before" else np.arange(N)
    per_set = {s: len({q for q in questions if q.startswith(s + "/")}) for s in set(sets)}
    w = np.array([100 / per_set[s] for s in sets])
    weights, bias = logistic(x[:, use], y, w, args.l2)
    full = np.zeros(N)
    full[use] = weights
    print(f"pub(crate) const {args.stage.upper()}: Logistic = Logistic {{")
    print(f"    weights: [{', '.join(f'{v:.3f}' for v in full)}],\n    bias: {bias:.3f},\n}};")
    # How well the training questions are ranked, to see that the fit went right.
    p = x[:, use] @ weights + bias
    by = collections.defaultdict(list)
    for q, label, score in zip(questions, y, p):
        by[q].append((-score, label))
    recall = collections.defaultdict(list)
    for q, pairs in by.items():
        total = sum(label for _, label in pairs)
        if total:
            recall[q.split("/")[0]].append(sum(label for _, label in sorted(pairs)[:5]) / total)
    for name, values in sorted(recall.items()):
        print(f"// {name}: {100 * np.mean(values):.1f}% of the relevant passages seen are among the first five")


if __name__ == "__main__":
    main()
