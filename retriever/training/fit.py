#!/usr/bin/env python3
"""Fits the graph retriever's weights: logistic regression, each question counting alike.

    fit.py before FEATURES.tsv
    fit.py after FEATURES.tsv --trees retriever/src/graph/trees/table.rs

Prints what belongs into `retriever/src/graph/weights.rs`; after links, boosted trees are fitted to
what the linear part leaves over and written to the file named. The features after links rest on the
probabilities before, so `before` is fitted first and the features are written again (`README.md`).
Needs numpy, and lightgbm (4.6) for trees.
"""

import argparse
import collections

import numpy as np

N = 15
UNLINKED = 4
# The linear part after links: what a link from a passage says depends on all else.
LINEAR = 13
# Trees never speak against the fused score and rank.
MONOTONE = [1, 1] + [0] * (N - 2)
TREES = dict(
    objective="binary", num_leaves=8, learning_rate=0.05, min_data_in_leaf=1000, lambda_l2=1.0,
    bagging_fraction=0.5, bagging_freq=1, feature_fraction=0.6, monotone_constraints=MONOTONE,
    seed=1, deterministic=True, force_row_wise=True, num_threads=1, verbose=-1,
)
ROUNDS = 100


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


def boosted(x, y, w, start):
    """Trees on top of the scores `start`, as (splits, leaves) with splits as (feature, threshold,
    child up to it, child above it); leaves count from -1 downwards."""
    import lightgbm

    data = lightgbm.Dataset(x, y, weight=w / w.mean(), init_score=start)
    trees = []
    for info in lightgbm.train(TREES, data, ROUNDS).dump_model()["tree_info"]:
        splits, leaves = [], []

        def add(node):
            if "leaf_value" in node:
                leaves.append(node["leaf_value"])
                return -len(leaves)
            at = len(splits)
            splits.append(None)
            low, high = add(node["left_child"]), add(node["right_child"])
            splits[at] = (node["split_feature"], node["threshold"], low, high)
            return at

        add(info["tree_structure"])
        trees.append((splits, leaves))
    return trees


def value(trees, x):
    """What `trees` add for each row of `x`."""
    total = np.zeros(len(x))
    for splits, leaves in trees:
        at = np.zeros(len(x), int)
        while (at >= 0).any():
            for i, (feature, threshold, low, high) in enumerate(splits):
                here = at == i
                at[here] = np.where(x[here, feature] <= threshold, low, high)
        total += np.array(leaves)[-at - 1]
    return total


def write(path, trees):
    def number(v):
        text = f"{v:.6g}"
        return text if "." in text or "e" in text else text + ".0"

    with open(path, "w") as out:
        out.write("//! Written by `retriever/training/fit.py after --trees`.\n\n")
        out.write("use super::{Tree, split};\n\n#[rustfmt::skip]\npub(super) const TREES: &[Tree] = &[\n")
        for splits, leaves in trees:
            at = ", ".join(f"split({f}, {number(t)}, {low}, {high})" for f, t, low, high in splits)
            ends = ", ".join(number(v) for v in leaves)
            out.write(f"    Tree {{ splits: &[{at}], leaves: &[{ends}] }},\n")
        out.write("];\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=["before", "after"])
    parser.add_argument("features")
    parser.add_argument("--l2", type=float, default=1.0)
    parser.add_argument("--trees", help="where trees are written")
    args = parser.parse_args()
    sets, questions, y, x = read(args.features)
    x = x[:, :N] if args.stage == "before" else x[:, N:]
    use = np.arange(UNLINKED if args.stage == "before" else LINEAR)
    per_set = {s: len({q for q in questions if q.startswith(s + "/")}) for s in set(sets)}
    w = np.array([100 / per_set[s] for s in sets])
    weights, bias = logistic(x[:, use], y, w, args.l2)
    full = np.zeros(UNLINKED if args.stage == "before" else N)
    full[use] = weights
    print(f"const {args.stage.upper()}: Linear<_> = Linear {{")
    print(f"    weights: [{', '.join(f'{v:.3f}' for v in full)}],\n    bias: {bias:.3f},\n}};")
    # How well the training questions are ranked, to see that the fit went right.
    p = x[:, use] @ np.round(weights, 3) + round(bias, 3)
    if args.trees:
        trees = boosted(x, y, w, p)
        write(args.trees, trees)
        p += value(trees, x)
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
