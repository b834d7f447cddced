#!/usr/bin/env python3
"""Has a language model write questions about passages, for training the reader.

    write_questions.py OUT.jsonl CORPUS.jsonl[.gz][=SHARE]... --server URL [--passages 1500] [--seed 1]

Passages are drawn at random from corpora, of each in proportion to its SHARE (1 where none is given). The model
behind URL (OpenAI's wire format) writes questions with short answers for each; those whose answer does not
stand in the passage, or stands in the question, or that speak of "the passage" are dropped (as in Alberti et
al., ACL 2019, without the round trip). No question of any data set is read.

A line: `question`, `title`, `text`, `starts` and `ends`, as `make_reading.py` writes them. A second run with
the same arguments goes on where the first one ended.
"""

import argparse
import json
import pathlib
import random
import re

import model_server
from make_reading import documents, places

ORDER = """Write 4 questions about the passage, as people ask who have never seen it. Each has a short answer: \
a name, a date, a number or a phrase of at most six words, copied from the passage letter by letter. Each asks for \
something else, in words that differ from the passage's, and names what it asks about in full (never "he", \
"it", "this", "the passage"). One line each: question | answer"""
EXAMPLES = [
    ("Tidal island of Asko\n\nAsko is a tidal island off the west coast, joined to the mainland by a causeway since 1911. "
     "The lighthouse on its northern tip was designed by Ines Brandt and first lit in 1874. About 340 people live on "
     "the island, most of whom work in oyster farming.",
     "In what year did a road to the island of Asko open? | 1911\n"
     "Who was the architect of Asko's lighthouse? | Ines Brandt\n"
     "When did the light of the tower on Asko shine for the first time? | 1874\n"
     "How do the inhabitants of Asko mostly earn their living? | oyster farming"),
    ("Buffered writes\n\nA writer that is dropped flushes its buffer, but errors that happen then are ignored. Call "
     "`flush` by hand to see them. The buffer holds 8 KiB unless another size is given with `with_capacity`. "
     "For standard output, which is line buffered, a lock avoids taking the mutex for each line.",
     "Which method shows errors of writing that dropping a buffered writer hides? | flush\n"
     "How large is the buffer of a buffered writer by default? | 8 KiB\n"
     "How is another buffer size chosen for a buffered writer? | with_capacity\n"
     "What keeps printing many lines from taking the mutex every time? | a lock"),
]
SPOKEN_OF = re.compile(r"\b(?:passage|text|paragraph|article|excerpt|author of this|mentioned|according to)\b", re.I)
POINTING = re.compile(r"^(?:\w+ ){0,4}(?:he|she|it|they|this|these|those|his|her|their|its)\b", re.I)
CHARACTERS = 1100


def asked(server, passage):
    """What the model writes about a passage."""
    title, text = passage
    return server.ask(ORDER, EXAMPLES, f"{title}\n\n{text}" if title else text, temperature=0.3, max_tokens=220)


def exercises(title, text, written):
    """The usable lines of `written`, and how many there were."""
    good, lines, known = [], 0, set()
    for line in written.splitlines():
        if "|" not in line:
            continue
        lines += 1
        question, _, answer = (part.strip() for part in line.partition("|"))
        question = re.sub(r"^(?:\d+[.)]|[-*]|Q:)\s*", "", question)
        answer = answer.strip("`\"* ").rstrip(".")
        if (not question.endswith("?") or not re.search(r"\w", answer) or len(answer.split()) > 8
                or {question.lower(), answer.lower()} & known or answer.lower() in question.lower()
                or SPOKEN_OF.search(question) or POINTING.match(question)):
            continue
        stands = places(text, answer)
        if not stands:
            found = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.I)
            stands = [found.span()] if found else []
        if stands:
            known |= {question.lower(), answer.lower()}
            good.append({"question": question, "title": title, "text": text,
                         "starts": [s for s, _ in stands], "ends": [e for _, e in stands]})
    return good, lines


def part_of(title, text, rng):
    """A run of sentences of at most `CHARACTERS`."""
    if len(text) <= CHARACTERS:
        return title, text
    starts = [0, *(m.end() for m in re.finditer(r"[.!?]\s+(?=[A-Z\"(`])", text))]
    first = rng.choice([s for s in starts if len(text) - s > CHARACTERS // 2] or [0])
    ends = [s for s in starts if first + CHARACTERS // 2 < s <= first + CHARACTERS]
    return title, text[first:ends[-1] if ends else first + CHARACTERS].strip()


def drawn(corpora, number, rng):
    """Different passages, in an order that a longer run only adds to."""
    shares = [float(c.partition("=")[2] or 1) for c in corpora]
    read = [list(documents(pathlib.Path(c.partition("=")[0]), None)) for c in corpora]
    known = set()
    while len(known) < number:
        passage = part_of(*rng.choice(rng.choices(read, shares)[0]), rng)
        if passage not in known:
            known.add(passage)
            yield passage


def main():
    options = argparse.ArgumentParser()
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("corpora", nargs="+")
    options.add_argument("--passages", type=int, default=1500)
    options.add_argument("--seed", type=int, default=1)
    model_server.options(options, at_once=4)
    args = options.parse_args()
    passages = list(drawn(args.corpora, args.passages, random.Random(args.seed)))
    written = usable = 0
    with open(args.out, "a", encoding="utf-8") as out:
        server, progress = model_server.Server.of(args), args.out.with_suffix(".read")
        for passage, answer in model_server.ask_all(server, passages, asked, progress):
            good, lines = exercises(*passage, answer)
            written, usable = written + lines, usable + len(good)
            for one in good:
                out.write(json.dumps(one, ensure_ascii=False) + "\n")
            out.flush()
    print(f"{len(passages)} passages, {usable} of {written} questions written now are usable")


if __name__ == "__main__":
    main()
