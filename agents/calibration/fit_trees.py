"""Fits the trees of `agents/src/passage_trees.rs` to what the coefficients of `fit.py` leave over.

    cargo run --release --example eval -- --data DIR --vectors V --half dev --dump dev.tsv \\
        --sets musique,2wiki,hotpotqa,multihop-rag-evidence,popqa,quality,squad
    cargo run --release --example eval -- --data MADE --vectors W --dump made.tsv \\
        --sets musique,2wiki,hotpotqa
    python agents/calibration/fit_trees.py dev.tsv --made made.tsv

MADE holds the questions that `retriever/training/make_questions.py` makes from the three corpora
(`retriever/training/README.md`); the three sets whose questions one passage answers keep the trees
from expecting links everywhere. Rows of the rounds after the first are used; every set weighs the
same, every question of a set weighs the same. First the ordering is judged in cross-validation over
the questions of the development halves (all gold among the first seven and ten), then all rows are
fitted. Needs numpy and lightgbm (4.6).
"""

import argparse
import collections
import re
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT.parent / "retriever" / "training"))
import fit as ranker  # noqa: E402

SETTINGS = {**ranker.TREES, "min_data_in_leaf": 1000}
del SETTINGS["monotone_constraints"]
FOLDS = 5


def read(path):
    names, questions, rounds, gold, values = [], [], [], [], []
    for line in open(path):
        part = line.rstrip("\n").split("\t")
        names.append(f"{Path(path).stem}/{part[0]}")
        questions.append(f"{names[-1]}/{part[1]}")
        rounds.append(int(part[3]))
        gold.append(float(part[4]))
        values.append([float(v) for v in part[5:]])
    return [np.array(column) for column in (names, questions, rounds, gold, values)]


def linear(rounds, values):
    """The score by the coefficients in `weights.rs`."""
    source = (ROOT / "src" / "weights.rs").read_text()
    table = source[source.index("const PASSAGE") :]
    rows = re.findall(r"Logistic \{ slopes: \[([^\]]*)\], intercept: ([-\d.]+) \}", table)[:3]
    total = np.zeros(len(values))
    for i, (slopes, intercept) in enumerate(rows):
        here = np.minimum(rounds, 2) == i
        total[here] = values[here] @ np.array([float(v) for v in slopes.split(",")]) + float(intercept)
    return total


def show(title, names, questions, rounds, gold, score):
    """How often all gold that was seen is among the first in a question's last round."""
    of = collections.defaultdict(list)
    for i, question in enumerate(questions):
        of[question].append(i)
    complete = collections.defaultdict(list)
    for rows in of.values():
        rows = np.array(rows)
        rows = rows[rounds[rows] == rounds[rows].max()]
        ranked = gold[rows[np.argsort(-score[rows], kind="stable")]]
        if ranked.sum():
            complete[names[rows[0]]].append([ranked[:k].sum() == ranked.sum() for k in (7, 10)])
    for name, found in sorted(complete.items()):
        seven, ten = 100 * np.mean(found, axis=0)
        print(f"{title}\t{name}\t{len(found)} questions\tall of 7: {seven:.1f}\tall of 10: {ten:.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dev", nargs="+")
    parser.add_argument("--made", nargs="*", default=[])
    args = parser.parse_args()
    parts = [read(path) for path in args.dev + args.made]
    names, questions, rounds, gold, values = (np.concatenate(column) for column in zip(*parts))
    own = sum(len(part[0]) for part in parts[: len(args.dev)])
    count = collections.Counter(name for name, _ in set(zip(names, questions)))
    weight = np.array([1 / count[name] for name in names])
    start = linear(rounds, values)
    later = rounds > 0
    order = np.random.default_rng(1).permutation(sorted(set(questions[:own])))
    fold = dict(zip(order, range(len(order))))
    folds = np.array([fold.get(q, -1) % FOLDS if q in fold else -1 for q in questions])
    score = start.copy()
    for held in range(FOLDS):
        use, test = later & (folds != held), later & (folds == held)
        trees = ranker.boosted(values[use], gold[use], weight[use], start[use], SETTINGS)
        score[test] += ranker.value(trees, values[test])
    for title, s in (("linear", start), ("with trees", score)):
        show(title, names[:own], questions[:own], rounds[:own], gold[:own], s[:own])
    trees = ranker.boosted(values[later], gold[later], weight[later], start[later], SETTINGS)
    ranker.write(ROOT / "src" / "passage_trees.rs", trees, "agents/calibration/fit_trees.py")


if __name__ == "__main__":
    main()
