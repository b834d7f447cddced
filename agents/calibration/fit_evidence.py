"""Fits when to say "not found" in `agents/src/weights.rs` to rows of `examples/calibrate.rs --evidence`.

    for SETS in `--half dev --sets musique,2wiki,hotpotqa,multihop-rag-evidence,popqa`,
    `--half dev --lexical --sets musique,2wiki,hotpotqa,multihop-rag-evidence`,
    `--sets squad,quality` and `--lexical --sets squad`, each into a file of its own:
    cargo run --release --example calibrate -- --data DIR --work DIR SETS --evidence 1.tsv
    python agents/calibration/fit_evidence.py agents/src/weights.rs 1.tsv 2.tsv 3.tsv 4.tsv

A logistic regression on what speaks for the evidence answering the question. Questions whose
documents were all found should be answered; null questions, and questions whose documents were
taken out, should not. A threshold is the highest at which, in cross-validation, at most the share
in TURNED_AWAY of the former is turned away on every set of BARS (of questions in general, and of
those that name sources): well below the 15% that is the goal, since such a share of thirty
questions, or of seventy, is uncertain by several points. `quality` is left out without vectors: its
questions share hardly a word with their passages. Give `-` instead of the file of weights to change
nothing.
"""

import re
import sys

import numpy as np

from fit import logistic

RIDGE = 3e-3
FOLDS = 10
TURNED_AWAY = (0.065, 0.10)
# Questions that ask one thing of one thing have a threshold of their own.
PLAIN = 36
SOURCES = 27
PLAIN_THRESHOLD = 0.3
BARS = ["musique", "2wiki", "hotpotqa", "multihop-rag-evidence"]
WEIGHT = {"squad": 0.6, "popqa": 0.2, "examples": 0.0, "quality": 1.0}
# A set without vectors counts for half of itself.
LEXICAL = 0.5


def read(paths):
    rows = []
    for path in paths:
        for line in open(path, encoding="utf-8"):
            part = line.rstrip("\n").split("\t")
            rows.append((part[0], part[1], part[3], float(part[4]), [float(v) for v in part[5:]]))
    return rows


def weight_of(name):
    base = name.removesuffix("-lexical")
    return WEIGHT.get(base, 1.0) * (LEXICAL if base != name else 1.0)


def main(path, *sources):
    rows = sorted(read(sources))
    sets = np.array([r[0] for r in rows])
    kinds = np.array([r[2] for r in rows])
    labels = np.array([r[3] for r in rows])
    x = np.array([r[4] for r in rows])
    sizes = {}
    for key in zip(sets, labels):
        sizes[key] = sizes.get(key, 0) + 1
    weight = np.array([weight_of(s) / sizes[s, label] for s, label in zip(sets, labels)])
    # A question stays together with itself without its documents, and without vectors.
    ids = {q: i for i, q in enumerate(sorted({(r[0].removesuffix("-lexical"), r[1]) for r in rows}))}
    fold = np.array([ids[r[0].removesuffix("-lexical"), r[1]] % FOLDS for r in rows])
    held = np.zeros(len(rows))
    for f in range(FOLDS):
        train = fold != f
        slopes, intercept = logistic(x[train], labels[train], weight[train], RIDGE)
        held[fold == f] = 1 / (1 + np.exp(-(x[fold == f] @ slopes + intercept)))
    plain, cited = x[:, PLAIN] == 1, x[:, SOURCES] == 1
    limit = np.full(len(rows), PLAIN_THRESHOLD)
    thresholds = []
    for group, away in zip((~plain & ~cited, cited), TURNED_AWAY):
        asked = (labels == 1) & group
        bars = [held[(sets == s) & asked] for s in BARS]
        thresholds.append(min(np.quantile(own, away) for own in bars if len(own) > 20))
        limit[group] = thresholds[-1]
    for s in sorted(set(sets)):
        line = f"{s:<24}"
        for kind in ("complete", "removed", "null"):
            of_kind = (sets == s) & (kinds == kind)
            chosen = held[of_kind] < limit[of_kind]
            if len(chosen):
                line += f" {kind} {100 * chosen.mean():5.1f} (n {len(chosen)})"
        print(line)
    slopes, intercept = logistic(x, labels, weight, RIDGE)
    print(np.round(slopes * x.std(0), 2).tolist(), "thresholds", np.round(thresholds, 4))
    if path != "-":
        source = open(path, encoding="utf-8").read()
        text = ", ".join(f"{v:.4f}" for v in slopes)
        source, n = re.subn(
            r"(const EVIDENCE: Logistic<\d+> =\n).*?;\n",
            lambda m: f"{m[1]}    Logistic {{ slopes: [{text}], intercept: {intercept:.4f} }};\n",
            source,
            flags=re.S,
        )
        assert n == 1
        source, n = re.subn(
            r"(const ABSTAIN_BELOW: \[f64; 3\] = )\[.*?\];",
            lambda m: f"{m[1]}[{thresholds[0]:.4f}, {thresholds[1]:.4f}, {PLAIN_THRESHOLD}];",
            source,
        )
        assert n == 1
        open(path, "w", encoding="utf-8").write(source)


if __name__ == "__main__":
    main(*sys.argv[1:])
