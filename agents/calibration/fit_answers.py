"""Fits how probable it is that a short answer is right, in `agents/src/weights.rs`.

    cargo run --release --example calibrate -- --data DIR --work DIR SETS --answers 1.tsv
    python agents/calibration/fit_answers.py agents/src/weights.rs 1.tsv 2.tsv 3.tsv 4.tsv

with the four SETS of `fit_evidence.py`.

A logistic regression on the features of `agents/src/abstain.rs`; the label is whether the answer
equals a gold answer as SQuAD compares them, and counts by F1 where it only overlaps with one.
Every set weighs the same. Prints, in cross-validation, how far the probabilities are from the
share of right answers (expected calibration error in ten equal bins) and how well they order
answers (area under the ROC curve). Give `-` instead of the file of weights to change nothing;
`--check` tests the confidences in the file, such as those of another half.
"""

import re
import sys

import numpy as np

from fit import logistic

RIDGE = 1e-2
FOLDS = 10


def read(paths):
    rows = []
    for path in paths:
        for line in open(path, encoding="utf-8"):
            part = line.rstrip("\n").split("\t")
            rows.append((part[0], part[1], *(float(v) for v in part[2:5]), [float(v) for v in part[5:]]))
    return sorted(rows)


def calibration_error(p, y):
    bins = np.minimum((p * 10).astype(int), 9)
    return sum(abs((p - y)[bins == b].sum()) for b in range(10)) / len(p)


def ordering(p, y):
    """Probability that a right answer has more confidence than a wrong one."""
    right, wrong = p[y == 1], p[y == 0]
    if not len(right) or not len(wrong):
        return float("nan")
    over = (right[:, None] > wrong[None]).mean()
    return over + 0.5 * (right[:, None] == wrong[None]).mean()


def show(sets, p, y):
    for s in [*sorted(set(sets)), "all"]:
        own = (sets == s) | (s == "all")
        print(
            f"{s:<24} n {own.sum():4} right {100 * y[own].mean():5.1f} said {100 * p[own].mean():5.1f}"
            f" error {100 * calibration_error(p[own], y[own]):4.1f} ordering {100 * ordering(p[own], y[own]):5.1f}"
        )


def main(path, *sources):
    rows = read(sources)
    sets = np.array([r[0] for r in rows])
    right = np.array([r[2] for r in rows])
    partial = np.array([r[3] for r in rows])
    if path == "--check":
        return show(sets, np.array([r[4] for r in rows]), right)
    x = np.array([r[5] for r in rows])
    labels = np.maximum(right, np.where(partial >= 0.5, 0.5 * partial, 0.0))
    sizes = {s: (sets == s).sum() for s in set(sets)}
    weight = np.array([1.0 / sizes[s] for s in sets])
    fold = np.arange(len(rows)) % FOLDS
    held = np.zeros(len(rows))
    for f in range(FOLDS):
        train = fold != f
        slopes, intercept = logistic(x[train], labels[train], weight[train], RIDGE)
        held[fold == f] = 1 / (1 + np.exp(-(x[fold == f] @ slopes + intercept)))
    show(sets, held, right)
    slopes, intercept = logistic(x, labels, weight, RIDGE)
    if path != "-":
        source = open(path, encoding="utf-8").read()
        text = ", ".join(f"{v:.4f}" for v in slopes)
        source, n = re.subn(
            r"(const ANSWER: Logistic<\d+> =\n).*?;\n",
            lambda m: f"{m[1]}    Logistic {{ slopes: [{text}], intercept: {intercept:.4f} }};\n",
            source,
            flags=re.S,
        )
        assert n == 1
        open(path, "w", encoding="utf-8").write(source)


if __name__ == "__main__":
    main(*sys.argv[1:])
