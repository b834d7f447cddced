#!/usr/bin/env python3
"""Turns files in SQuAD's form into a data set in BEIR's layout: one document per paragraph.

    squad_to_beir.py OUT_DIR FILE.json[.gz]...
"""

import gzip
import json
import pathlib
import sys


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    seen = set()
    with open(out / "corpus.jsonl", "w") as corpus, open(out / "queries.jsonl", "w") as queries, open(
        out / "qrels.tsv", "w"
    ) as qrels:
        qrels.write("query-id\tcorpus-id\tscore\n")
        number = 0
        for path in map(pathlib.Path, sys.argv[2:]):
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8") as file:
                articles = json.load(file)["data"]
            for article in articles:
                for paragraph in article["paragraphs"]:
                    text = paragraph["context"].strip()
                    if text in seen:
                        continue
                    seen.add(text)
                    document = f"p{len(seen)}"
                    # File names and numbers are no titles.
                    title = article.get("title") or ""
                    title = "" if "." in title or title.isdigit() else title.replace("_", " ")
                    corpus.write(json.dumps({"_id": document, "title": title, "text": text}) + "\n")
                    for asked in paragraph["qas"]:
                        if asked.get("is_impossible") or not asked["answers"]:
                            continue
                        number += 1
                        line = {"_id": f"q{number}", "text": asked["question"].strip()}
                        queries.write(json.dumps(line) + "\n")
                        qrels.write(f"q{number}\t{document}\t1\n")


if __name__ == "__main__":
    main()
