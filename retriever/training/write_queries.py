#!/usr/bin/env python3
"""Has a language model write what people would search for to find a document: further questions to check
retrieval with, or to train a reranker on.

    write_queries.py OUT DATA SET[=SHARE]... --server URL [--documents 1500] [--seed 1]

Documents are drawn at random from DATA/SET/corpus.jsonl.gz, of each set in proportion to its SHARE (1 where none is
given). The model behind URL (OpenAI's wire format) writes four queries for each: a question, a claim, a need and a few
keywords, as test collections have them (after InPars, Bonifacio et al., SIGIR 2022, and Promptagator, Dai et al.,
ICLR 2023, which write one kind for each collection). No query of any data set is read.

OUT gets a data set in BEIR's layout for each SET, whose queries have the document they were written for as the only
relevant one; `asked.jsonl` has all of them as they were written (`set`, `_id` of the document, `kind`, `text`). A
second run with the same arguments goes on where the first one ended.
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "models/training"))
import model_server  # noqa: E402

KINDS = ("question", "claim", "need", "keywords")
ORDER = """Someone looks for the document below and has never seen it. Write what they could type, four lines:
question: what they want to know, as one question that the document answers
claim: a statement that the document supports or refutes
need: what documents they are interested in, in one or two sentences
keywords: two to six words
Use other words than the document where you can; name people, places and things in full; never say "the document"."""
EXAMPLES = [
    ("Tidal island of Asko\n\nAsko is a tidal island off the west coast, joined to the mainland by a causeway since "
     "1911. The lighthouse on its northern tip was designed by Ines Brandt and first lit in 1874. About 340 people live on "
     "the island, most of whom work in oyster farming.",
     "question: Who was the architect of the lighthouse that stands north on Asko?\n"
     "claim: The inhabitants of Asko earn their living mostly by fishing for cod.\n"
     "need: Islands that can be reached on foot or by road at low tide, and how they came to be connected.\n"
     "keywords: oyster farms west coast island"),
    ("a note on the drying of porous slabs .\n\nthe rate of moisture loss of porous slabs in a current of warm air is "
     "computed for several thicknesses . agreement with measurements is good while the surface is wet, and poor "
     "afterwards, where diffusion in the pores governs .",
     "question: how well do calculations of moisture loss agree with experiments once a surface has dried ?\n"
     "claim: Diffusion inside pores limits how fast a slab dries after its surface is no longer wet.\n"
     "need: Papers that compare computed and measured drying of solids, in particular with heated air streams.\n"
     "keywords: drying rate porous solids theory"),
]
SPOKEN_OF = re.compile(r"\b(?:the|this) (?:document|passage|text|paragraph|article|excerpt|paper|author)s?\b", re.I)
CHARACTERS = 1100
FEWEST_WORDS = 12


def asked(server, row):
    """What the model writes about a document."""
    return server.ask(ORDER, EXAMPLES, row[2], temperature=0.5, max_tokens=180)


def queries(document, written):
    """The usable lines of `written`: kind and text."""
    known = " ".join(re.findall(r"\w+", document.lower()))
    for line in written.splitlines():
        kind, _, text = line.partition(":")
        kind, text = kind.strip().lower(), text.strip().strip('"')
        words = re.findall(r"\w+", text.lower())
        # What stands in the document word by word says nothing that words would not find.
        copied = len(words) > 3 and " ".join(words) in known
        if kind in KINDS and 2 <= len(words) <= 60 and not copied and not SPOKEN_OF.search(text):
            yield kind, text


def drawn(data, sets, number, rng):
    """Different documents, in an order that a longer run only adds to."""
    shares, read = [], []
    for name in sets:
        name, _, share = name.partition("=")
        rows = map(json.loads, gzip.open(data / name / "corpus.jsonl.gz", "rt", encoding="utf-8"))
        whole = lambda row: f"{row.get('title') or ''}\n\n{row['text'][:CHARACTERS]}".strip()
        rows = [(name, row["_id"], whole(row)) for row in rows]
        read.append([row for row in rows if len(row[2].split()) >= FEWEST_WORDS])
        shares.append(float(share or 1))
    known = set()
    while len(known) < number:
        row = rng.choice(rng.choices(read, shares)[0])
        if row[:2] not in known:
            known.add(row[:2])
            yield row


def data_sets(out, data):
    """Writes the queries of `asked.jsonl` as data sets."""
    rows = collections.defaultdict(list)
    for number, line in enumerate(open(out / "asked.jsonl", encoding="utf-8")):
        row = json.loads(line)
        rows[row["set"]].append((f"{row['kind']}-{number}", row))
    for name, asked_of in rows.items():
        (out / name).mkdir(exist_ok=True)
        corpus = out / name / "corpus.jsonl.gz"
        if not corpus.exists():
            corpus.symlink_to((data / name / "corpus.jsonl.gz").resolve())
        with open(out / name / "queries.jsonl", "w", encoding="utf-8") as queries_of, \
                open(out / name / "qrels.tsv", "w", encoding="utf-8") as judged:
            judged.write("query-id\tcorpus-id\tscore\n")
            for identity, row in asked_of:
                queries_of.write(json.dumps({"_id": identity, "text": row["text"]}, ensure_ascii=False) + "\n")
                judged.write(f"{identity}\t{row['_id']}\t1\n")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("data", type=pathlib.Path)
    options.add_argument("sets", nargs="+")
    options.add_argument("--documents", type=int, default=1500)
    options.add_argument("--seed", type=int, default=1)
    model_server.options(options, at_once=8)
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = list(drawn(args.data, args.sets, args.documents, random.Random(args.seed)))
    usable = 0
    with open(args.out / "asked.jsonl", "a", encoding="utf-8") as out:
        server, progress = model_server.Server.of(args), args.out / "asked.read"
        for (name, identity, document), answer in model_server.ask_all(server, rows, asked, progress):
            for kind, text in queries(document, answer):
                row = {"set": name, "_id": identity, "kind": kind, "text": text}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                usable += 1
            out.flush()
    data_sets(args.out, args.data)
    print(f"{len(rows)} documents, {usable} queries written now")


if __name__ == "__main__":
    main()
