"""How far `confidence` is from the share of right answers, in what the whole program answered.

    indago eval ask --data DIR --half report --per-question FILE
    python agents/calibration/check_confidence.py FILE

Prints the number of answers, the expected calibration error in ten equal bins, how often a right
answer stands above a wrong one (area under the ROC curve), and the share of right answers by
confidence. An answer is right when it equals a gold answer as SQuAD compares them. Questions that
have no answer in the corpus are left out.
"""

import json
import re
import string
import sys


def normal(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def main(path):
    answers = []
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        if row["unanswerable"] or row["abstained"] or row["answer"] is None:
            continue
        right = normal(row["answer"]) in map(normal, row["accepted"])
        answers.append((row["confidence"], right))
    if not answers:
        sys.exit(f"{path} holds no answers to questions that have one")
    bins = {}
    for p, right in answers:
        bins.setdefault(min(int(10 * p), 9), []).append(p - right)
    error = sum(abs(sum(differences)) for differences in bins.values()) / len(answers)
    rights = [p for p, right in answers if right]
    wrongs = [p for p, right in answers if not right]
    above = sum((a > b) + 0.5 * (a == b) for a in rights for b in wrongs)
    area = above / max(1, len(rights) * len(wrongs))
    print(f"{len(answers)} answers, calibration error {100 * error:.1f}, right above wrong {100 * area:.0f}%")
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        own = [right for p, right in answers if low <= p < low + 0.2 or p == low + 0.2 == 1.0]
        if own:
            print(f"{low:.1f} to {low + 0.2:.1f}: {len(own)} answers, {100 * sum(own) / len(own):.0f}% right")


if __name__ == "__main__":
    main(*sys.argv[1:])
