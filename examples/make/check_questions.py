"""Check that every question of questions.jsonl is backed by the corpus.

Each gold document must exist and must contain, word for word, every quote that
`evidence` gives for it; each answer must be in a quote, unless the kind says
that it has to be concluded (yes/no, comparison, list, how many). Unanswerable
questions must have neither answers nor gold documents.
"""

import html
import json
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import source_text  # noqa: E402

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus"
CONCLUDED = {"yes-no", "comparison", "list", "how-many", "temporal"}


def documents() -> dict[str, str]:
    """The text of every document by its id; generated files from their source."""
    texts = {}
    for path in sorted((HERE / "source").glob("*.txt")):
        texts[source_text.read(path).output] = path.read_text(encoding="utf-8")
    for path in sorted(CORPUS.rglob("*")):
        name = path.relative_to(CORPUS).as_posix()
        if path.is_dir() or name in texts:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            for line in text.splitlines():
                record = json.loads(line)
                texts[record["_id"]] = f"{record['title']}\n{record['text']}"
        elif path.suffix == ".html":
            texts[name] = html.unescape(re.sub(r"<[^>]*>", " ", text))
        else:
            texts[name] = text
    return {name: " ".join(text.split()) for name, text in texts.items()}


def problems(question: dict, texts: dict[str, str]) -> list[str]:
    found = []
    if question["kind"] == "unanswerable":
        if question["answers"] or question["gold"] or question["evidence"]:
            found.append("an unanswerable question has an answer")
        return found
    if not question["answers"]:
        found.append("no answer")
    quoted = {item["document"] for item in question["evidence"]}
    if quoted != set(question["gold"]):
        found.append(f"gold and evidence name different documents: {quoted ^ set(question['gold'])}")
    for item in question["evidence"]:
        text = texts.get(item["document"])
        if text is None:
            found.append(f"no document {item['document']}")
        elif item["quote"] not in text:
            found.append(f"{item['document']} does not say {item['quote']!r}")
    if question["kind"] not in CONCLUDED:
        quotes = " ".join(item["quote"] for item in question["evidence"]).lower()
        if not any(answer.lower() in quotes for answer in question["answers"]):
            found.append("no quote holds an answer")
    return found


def main() -> int:
    texts = documents()
    failed = False
    seen = set()
    for line in (HERE.parent / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        found = problems(question, texts)
        if question["_id"] in seen:
            found.append("the id is used twice")
        seen.add(question["_id"])
        for problem in found:
            print(f"{question['_id']}: {problem}", file=sys.stderr)
            failed = True
    print(f"{len(seen)} questions over {len(texts)} documents checked")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
