#!/usr/bin/env python3
"""Makes reading exercises from the text of corpora: a question, a passage, and where its answer stands.

    make_reading.py OUT.jsonl CORPUS.jsonl[.gz]... [--number 60000] [--seed 1]

A sentence loses one of its names, dates or numbers and is turned into a question that asks for it (cloze
questions, Lewis et al., ACL 2019; from another passage than the one that is read, Fabbri et al., ACL 2020).
The passage to read is the sentence's own, or, for a quarter of those with an answer, another
one that has the answer and a further name of the sentence. A fifth of the exercises gives a passage that is
about the same names and lacks the answer. No question of any data set is read.

A line: `question`, `title`, `text`, `starts` and `ends`: characters of `text` where the answer stands, none
where it is not there.
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import re

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
WORD = r"[A-Z][\w'’.-]*[\w]"
NAME = rf"{WORD}(?:\s+(?:of\s+(?:the\s+)?|the\s+|de\s+|von\s+|van\s+)?{WORD})*"
SPAN = re.compile(
    rf"(?P<date>(?:\d{{1,2}}\s+)?(?:{MONTHS})(?:\s+\d{{1,2}}(?:,)?)?(?:\s+\d{{4}})?|\b[12]\d{{3}}\b)"
    rf"|(?P<number>\b\d[\d,.]*\d\b(?:\s+(?:million|billion|percent|per cent|km|miles|metres|feet))?|\b\d\b)"
    rf"|(?P<name>{NAME})"
)
COMMON = set("The A An In On At It He She They This That These Those His Her Its Their We I You As After Before "
             "During When While For From With By But And Or If Of To There Some Many Most One Two However "
             "Although Since Under Over Also All Both Each Not No Other".split())
LITTLE = set("a an the of in on at to by for with from as and or was were is are be been his her its their "
             "that which who it he she they this also had has have".split())
HE = re.compile(r"^(?:He|She|It|They|His|Her|Its|Their|The \w+)\b")
PERSON = re.compile(r"\b(?:by|actor|actress|singer|writer|director|son|daughter|wife|husband|king|queen|president|"
                    r"player|coach|author|starring|brother|sister|father|mother|born)\s*(?:of\s+)?$", re.I)
PLACE = re.compile(r"\b(?:in|at|near|from|to|into|city of|town of|outside)\s+(?:the\s+)?$", re.I)


def documents(path, longest=1600):
    """Title and text of a corpus's documents, of long ones the beginning."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            title, text = record.get("title") or "", record["text"]
            if 120 < len(text):
                yield title, text[:longest]


def sentences(text):
    at = 0
    for part in re.split(r"(?<=[.!?])\s+(?=[A-Z\"(])", text):
        at = text.index(part, at)
        yield at, part
        at += len(part)


def spans(text):
    """Kind and place of each name, date and number."""
    for found in SPAN.finditer(text):
        kind = found.lastgroup
        start, end = found.span()
        words = found.group().split()
        if kind == "name":
            while words and words[0] in COMMON:
                start = text.index(words[0], start) + len(words[0])
                start += len(text[start:end]) - len(text[start:end].lstrip())
                words = words[1:]
            if not words or len(text[start:end]) < 3:
                continue
        yield kind, start, end


def bare(title):
    return re.sub(r"\s*\([^)]*\)$", "", title.split(" - ")[0]).strip()


def asked(kind, answer, before, after, rng):
    """The question word that asks for `answer`."""
    if kind == "date":
        year = re.fullmatch(r"\d{4}", answer)
        return rng.choice(["when", "when", "in what year" if year else "what date", "which year" if year else "when"])
    if kind == "number":
        noun = re.match(r"\s*([a-z]+s)\b", after)
        if noun and rng.random() < 0.8:
            return "how many"
        return rng.choice(["how many", "how much", "what"])
    if PERSON.search(before):
        return "who"
    if PLACE.search(before):
        return rng.choice(["where", "where", "what place", "what city", "which country"])
    if len(answer.split()) in (2, 3) and re.fullmatch(r"[A-Z][a-z]+(?: [A-Z]\.?)?(?: [A-Z][a-z-]+)", answer):
        return rng.choice(["who", "who", "what", "which"])
    return rng.choice(["what", "what", "which", "who"])


def question(sentence, kind, start, end, title, hard, rng):
    """`sentence` with the span from `start` to `end` asked for."""
    answer = sentence[start:end]
    before, after = sentence[:start], sentence[end:]
    word = asked(kind, answer, before, after, rng)
    # The clause around the span.
    before = re.split(r"[;:]\s", before)[-1].split()
    after = re.split(r"[;:]\s", after)[0].split()
    left, right = rng.randint(4, 12), rng.randint(3, 10)
    cut = before[-left:] if len(before) > left else before
    tail = after[:right]
    pronoun = before and HE.match(" ".join(before))
    named = bare(title)
    if named and len(cut) == len(before) and pronoun and rng.random() < 0.8:
        cut = [named, *cut[2 if before[0] == "The" else 1:]]
    elif named and named.lower() not in sentence.lower() and rng.random() < 0.6:
        tail = [*tail, *rng.choice([["of"], ["in"], ["for"], []]), named]
    if kind == "date" and cut and cut[-1].lower() in ("in", "on", "on the", "from", "since"):
        cut = cut[:-1]
    if word.startswith("where") or word.startswith("what c") or word.startswith("which c") or word.startswith("what p"):
        if cut and cut[-1].lower() in ("in", "at", "near", "the"):
            cut = cut[:-1]
    drop = 0.35 if hard else 0.2
    keep = lambda w: not (w.lower().strip(",.()\"") in LITTLE and rng.random() < drop) and not (
        hard and rng.random() < 0.12)
    cut, tail = [w for w in cut if keep(w)], [w for w in tail if keep(w)]
    form = rng.random()
    if form < 0.55:
        words = [word, *tail, *cut] if rng.random() < 0.35 else [word, *cut, *tail]
        if word in ("when", "where", "what", "who") and rng.random() < 0.5:
            words.insert(1, rng.choice(["did", "was", "is", "are", "were", "does"]))
    elif form < 0.8:
        words = [*cut, word, *tail]
    else:
        words = [*tail, *cut, word]
    text = re.sub(r"\s+", " ", " ".join(words)).strip(" ,.;:\"'()")
    return text + "?", len(cut) + len(tail)


def places(text, answer):
    found = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text)]
    return found[:8]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("corpora", type=pathlib.Path, nargs="+")
    options.add_argument("--number", type=int, default=60000)
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    rng = random.Random(args.seed)
    known, read = set(), []
    for path in args.corpora:
        for title, text in documents(path):
            if text not in known:
                known.add(text)
                read.append((title, text))
    having = collections.defaultdict(list)
    names = []
    for row, (title, text) in enumerate(read):
        mine = {text[s:e] for kind, s, e in spans(text)} | {bare(title)}
        names.append(mine)
        for name in mine:
            having[name].append(row)
    written, kinds = 0, collections.Counter()
    rows = list(range(len(read)))
    with open(args.out, "w", encoding="utf-8") as out:
        while written < args.number:
            row = rng.choice(rows)
            title, text = read[row]
            told = [(at, s) for at, s in sentences(text) if 40 < len(s) < 400]
            if not told:
                continue
            at, sentence = rng.choice(told)
            there = list(spans(sentence))
            # Names that others have make exercises over two passages.
            there = [(k, s, e) for k, s, e in there if sentence[s:e].lower() not in title.lower()]
            if not there:
                continue
            shared = [x for x in there if 1 < len(having[sentence[x[1]:x[2]]]) < 60]
            kind, start, end = rng.choice(shared if shared and rng.random() < 0.6 else there)
            answer = sentence[start:end]
            others = ({sentence[s:e] for _, s, e in there} | {bare(title)}) - {answer, ""}
            others = {n for n in others if n not in answer and answer not in n and not n.isdigit()}
            # Another passage that has the answer and a further name of the sentence.
            related = collections.Counter(
                other for name in others if len(having[name]) < 200 for other in having[name] if other != row)
            fitting = [other for other in related if answer in names[other]]
            lacking = [other for other, n in related.items() if answer not in read[other][1]]
            draw = rng.random()
            if draw < 0.22 and lacking:
                best = max(related[o] for o in lacking)
                chosen, sort = rng.choice([o for o in lacking if related[o] >= best - 1]), "lacking"
            elif fitting and draw < 0.75:
                chosen, sort = rng.choice(fitting), "other"
            elif rng.random() < 0.6:
                chosen, sort = row, "own"
            else:
                continue
            asks, words = question(sentence, kind, start, end, title, sort == "own", rng)
            if words < 3:
                continue
            chosen_title, passage = read[chosen]
            stands = [] if sort == "lacking" else places(passage, answer)
            if sort == "own":
                stands = [p for p in stands if p == (at + start, at + end)] or stands
            if sort != "lacking" and not stands:
                continue
            if sort != "lacking" and answer.lower() in asks.lower():
                continue
            kinds[sort, kind] += 1
            written += 1
            out.write(json.dumps({
                "question": asks, "title": chosen_title, "text": passage,
                "starts": [s for s, _ in stands], "ends": [e for _, e in stands],
            }, ensure_ascii=False) + "\n")
    print(f"{len(read)} passages, {written} exercises: {dict(kinds)}")


if __name__ == "__main__":
    main()
