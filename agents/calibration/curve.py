"""Completeness against precision, by the least probability of a passage that is quoted.

    cargo run --release --example calibrate -- --data DIR --work DIR --half dev \
        --sets musique,2wiki,hotpotqa,multihop-rag-evidence --dump rows.tsv
    python agents/calibration/curve.py agents/src/weights.rs rows.tsv DIR

Prints, for each set, the share of questions whose gold documents are all quoted, the share of
quoted documents that are gold, and how many are quoted, under the coefficients in the first file.
The two most probable passages are always quoted; documents count once, ten at most.
"""

import re
import sys
from pathlib import Path

import numpy as np

LEAST = (0.01, 0.014, 0.018, 0.022, 0.03, 0.05, 0.07)
ALWAYS, MOST = 2, 10


def coefficients(path):
    table = Path(path).read_text().split("const PASSAGE", 1)[1]
    found = re.findall(r"Logistic \{ slopes: \[(.*?)\], intercept: (.*?) \}", table)[:3]
    return [(np.array([float(v) for v in slopes.split(",")]), float(b)) for slopes, b in found]


def gold_counts(data, name):
    lines = (Path(data) / name / "qrels.tsv").read_text().splitlines()
    counts = {}
    for line in lines:
        question, _, score = line.split("\t")[:3]
        if score.strip().isdigit() and int(score) > 0:
            counts[question] = counts.get(question, 0) + 1
    return counts


def main(weights, rows, data):
    rounds = coefficients(weights)
    questions = {}
    for line in open(rows):
        name, question, _, number, gold, document, *values = line.rstrip("\n").split("\t")
        by_round = questions.setdefault(name, {}).setdefault(question, {})
        slopes, intercept = rounds[int(number)]
        p = 1 / (1 + np.exp(-(np.array(values, float) @ slopes + intercept)))
        by_round.setdefault(int(number), []).append((p, int(gold), document))
    print("| least | " + " | ".join(questions) + " |\n|" + "---|" * (len(questions) + 1))
    for least in LEAST:
        cells = []
        for name, asked in questions.items():
            needed = gold_counts(data, name)
            outcomes = []
            for question, by_round in asked.items():
                if question not in needed:
                    continue
                quoted = {}
                for i, (p, gold, document) in enumerate(sorted(by_round[max(by_round)], reverse=True)):
                    if i >= ALWAYS and p < least or len(quoted) == MOST:
                        break
                    quoted.setdefault(document, gold)
                found = sum(quoted.values())
                outcomes.append((found == needed[question], found / len(quoted), len(quoted)))
            complete, precision, sources = np.mean(outcomes, axis=0)
            cells.append(f"{100 * complete:.1f} / {100 * precision:.1f} / {sources:.1f}")
        print(f"| {least} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:])
