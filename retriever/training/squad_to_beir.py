#!/usr/bin/env python3
"""Turns files in SQuAD's form into a data set in BEIR's layout: one document per paragraph.

    squad_to_beir.py [--reading] OUT_DIR FILE.json[.gz]...

With --reading the questions have their answers, and those that their paragraph does not answer are
kept, marked as unanswerable (for `agents/calibration`); questions are then only asked of paragraphs that the
reader was not trained on (`models/training/train_reader.py` has the same rule).
"""

import gzip
import hashlib
import json
import pathlib
import sys


def held_out(text):
    return hashlib.blake2b(" ".join(text.split()).encode()).digest()[0] % 2 == 1


def main():
    arguments = sys.argv[1:]
    reading = arguments[0] == "--reading"
    out, *paths = map(pathlib.Path, arguments[1:] if reading else arguments)
    out.mkdir(parents=True, exist_ok=True)
    seen, known = {}, set()
    with open(out / "corpus.jsonl", "w") as corpus, open(out / "queries.jsonl", "w") as queries, open(
        out / "qrels.tsv", "w"
    ) as qrels:
        qrels.write("query-id\tcorpus-id\tscore\n")
        number = 0
        for path in paths:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8") as file:
                articles = json.load(file)["data"]
            for article in articles:
                for paragraph in article["paragraphs"]:
                    text = paragraph["context"].strip()
                    if text not in seen:
                        seen[text] = f"p{len(seen) + 1}"
                        # File names and numbers are no titles.
                        title = article.get("title") or ""
                        title = "" if "." in title or title.isdigit() else title.replace("_", " ")
                        corpus.write(json.dumps({"_id": seen[text], "title": title, "text": text}) + "\n")
                    elif not reading:
                        continue
                    if reading and not held_out(text):
                        continue
                    document = seen[text]
                    for asked in paragraph["qas"]:
                        answerable = bool(asked["answers"]) and not asked.get("is_impossible")
                        if not (answerable or reading) or reading and asked["question"] in known:
                            continue
                        known.add(asked["question"])
                        number += 1
                        line = {"_id": f"q{number}", "text": asked["question"].strip()}
                        if reading:
                            line["answers"] = sorted({answer["text"] for answer in asked["answers"]}) if answerable else []
                            line["metadata"] = {"answerable": answerable}
                        queries.write(json.dumps(line) + "\n")
                        if answerable:
                            qrels.write(f"q{number}\t{document}\t1\n")


if __name__ == "__main__":
    main()
