#!/usr/bin/env python3
"""Makes exercises without an answer of exercises that have one.

    make_unanswerable.py EXERCISES.jsonl OUT.jsonl CORPUS.jsonl[.gz]... [--seed 1]

Two for each question, as far as they can be had: the question with a passage of the corpora that has its words and
lacks its answer, as a search finds them beside the right one; and with its own passage, but a name, year or number of
the question changed to another one of the same kind that the passage does not have, so that the passage tells the
fact of something else (as the unanswerable questions of Rajpurkar et al., ACL 2018). `OUT.jsonl` has these and the
exercises they were made of.
"""

import argparse
import collections
import json
import math
import pathlib
import random
import re

from make_reading import documents, spans

WORD = re.compile(r"\w+")
# A word of more passages than this tells nothing about which one is close.
COMMON = 3000
NEAREST = 3


def words_of(text):
    return set(WORD.findall(text.lower()))


class Neighbours:
    """Passages by the words they share with a question, rarer words counting more."""

    def __init__(self, passages):
        self.passages = passages
        self.having = collections.defaultdict(list)
        for row, (title, text) in enumerate(passages):
            for word in words_of(f"{title} {text}"):
                self.having[word].append(row)

    def of(self, question, answer, own):
        """The nearest passages that lack `answer`, nearest first."""
        shared = collections.Counter()
        for word in sorted(words_of(question)):
            rows = self.having.get(word, ())
            if len(rows) < COMMON:
                for row in rows:
                    shared[row] += math.log(len(self.passages) / len(rows))
        near = sorted(shared, key=lambda row: (-shared[row], row))[:10 * NEAREST]
        lacks = lambda title, text: title != own and answer.lower() not in f"{title} {text}".lower()
        return [self.passages[row] for row in near if lacks(*self.passages[row])][:NEAREST]


def named(question):
    """Kind and place of the names, years and numbers of a question, but for its first word."""
    for kind, start, end in spans(question):
        if start > 0:
            yield kind, start, end - 2 if question[start:end].endswith(("'s", "’s")) else end


def swapped(question, passage, others, rng):
    """`question` about another name, year or number, or None where it has none."""
    told = [(kind, start, end) for kind, start, end in named(question) if question[start:end].lower() in passage.lower()]
    if not told:
        return None
    kind, start, end = rng.choice(told)
    like = [name for name in rng.sample(others[kind], min(50, len(others[kind])))
            if name.lower() not in passage.lower()]
    words = len(question[start:end].split())
    like = [name for name in like if abs(len(name.split()) - words) < 2] or like
    return question[:start] + like[0] + question[end:] if like else None


def main():
    options = argparse.ArgumentParser()
    options.add_argument("exercises", type=pathlib.Path)
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("corpora", type=pathlib.Path, nargs="+")
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    rng = random.Random(args.seed)
    rows = [json.loads(line) for line in open(args.exercises, encoding="utf-8")]
    others = collections.defaultdict(list)
    for row in rows:
        for kind, start, end in named(row["question"]):
            others[kind].append(row["question"][start:end])
    neighbours = Neighbours(sorted({passage for path in args.corpora for passage in documents(path)}))
    kinds = collections.Counter()
    with open(args.out, "w", encoding="utf-8") as out:
        def write(kind, question, title, text, starts, ends):
            kinds[kind] += 1
            out.write(json.dumps({"question": question, "title": title, "text": text, "starts": starts,
                                  "ends": ends}, ensure_ascii=False) + "\n")

        for row in rows:
            question, title, text = row["question"], row["title"], row["text"]
            answer = text[row["starts"][0]:row["ends"][0]]
            write("answered", question, title, text, row["starts"], row["ends"])
            near = neighbours.of(question, answer, title)
            if near:
                write("lacking", question, *rng.choice(near), [], [])
            other = swapped(question, f"{title} {text}", others, rng)
            if other:
                write("swapped", other, title, text, [], [])
    print(dict(kinds))


if __name__ == "__main__":
    main()
