"""Fits the coefficients of `agents/src/weights.rs` to rows that `examples/calibrate.rs --dump` wrote.

    cargo run --release --example calibrate -- --data DIR --work DIR \
        --sets musique,2wiki,hotpotqa,multihop-rag-evidence --dump rows.tsv
    (the same with --lexical --dump lexical.tsv)
    python agents/calibration/fit.py agents/src/weights.rs rows.tsv lexical.tsv

Features of a round depend on the probabilities of the round before, so both commands are
repeated until the coefficients settle (three times is enough). Only rows of the development
halves are used. A corpus may have no vectors, so every set counts once with them and once without:
fitted with vectors alone, the rank in the default retriever's list carries more than a list of words
can bear. Every set weighs the same, every question of a set weighs the same.
"""

import itertools
import re
import sys

import numpy as np

RIDGE = 1e-3


def logistic(x, y, weight, ridge=RIDGE):
    """Weighted ridge logistic regression on standardised columns by Newton's method."""
    weight = weight / weight.sum()
    mean, scale = x.mean(0), x.std(0)
    fixed = scale == 0
    scale[fixed] = 1
    z = np.c_[(x - mean) / scale, np.ones(len(x))]
    penalty = np.r_[np.full(x.shape[1], 2 * ridge), 0]
    theta = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(z @ theta)))
        gradient = z.T @ (weight * (p - y)) + penalty * theta
        hessian = (z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(penalty + 1e-12)
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if np.abs(step).max() < 1e-9:
            break
    slopes = theta[:-1] / scale
    slopes[fixed] = 0
    return slopes, theta[-1] - (slopes * mean).sum()


def main(weights_path, *rows_paths):
    sets, questions, rounds, gold, features = [], [], [], [], []
    for line in itertools.chain.from_iterable(map(open, rows_paths)):
        part = line.rstrip("\n").split("\t")
        if part[2] == "1":
            sets.append(part[0])
            questions.append(part[0] + part[1])
            rounds.append(int(part[3]))
            gold.append(float(part[4]))
            features.append([float(v) for v in part[6:]])
    sets, questions, rounds = np.array(sets), np.array(questions), np.array(rounds)
    gold, features = np.array(gold), np.array(features)
    per_set = {s: len(set(questions[sets == s])) for s in sorted(set(sets))}
    weight = np.array([1.0 / per_set[s] for s in sets])
    lines = []
    for r in range(3):
        # A search that stopped early has no third round; its second is its last.
        of_round = rounds == r
        slopes, intercept = logistic(features[of_round], gold[of_round], weight[of_round])
        text = ", ".join(f"{v:.4f}" for v in slopes)
        lines.append(f"    Logistic {{ slopes: [{text}], intercept: {intercept:.4f} }},")
    source = open(weights_path).read()
    table = re.compile(r"(const PASSAGE: \[Logistic<\d+>; 3\] = \[\n).*?(\n\];)", re.S)
    assert table.search(source), "no table to replace"
    source = table.sub(lambda m: m[1] + "\n".join(lines) + m[2], source)
    open(weights_path, "w").write(source)
    print(per_set, "rows", len(gold))


if __name__ == "__main__":
    main(*sys.argv[1:])
