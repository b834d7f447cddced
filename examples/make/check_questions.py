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
import zipfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus"
CONCLUDED = {"yes-no", "comparison", "list", "how-many", "temporal"}


def without_tags(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", text))


def pdf_text(data: bytes) -> str:
    """The strings that a PDF made by write_pdf.py shows, in order."""
    strings = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", data, re.DOTALL):
        for raw in re.findall(rb"\((.*)\) Tj", zlib.decompress(stream)):
            strings.append(re.sub(rb"\\(.)", rb"\1", raw).decode("cp1252"))
    return " ".join(strings)


def zip_text(path: Path) -> str:
    """The text of a DOCX or EPUB, parts in the order of their names."""
    with zipfile.ZipFile(path) as archive:
        names = [n for n in sorted(archive.namelist()) if n == "word/document.xml" or "chapter" in n]
        return " ".join(without_tags(archive.read(name).decode("utf-8")) for name in names)


def documents() -> dict[str, str]:
    """The text of every document by its id, with runs of white space as one space."""
    texts = {}
    for path in sorted(p for p in CORPUS.rglob("*") if p.is_file()):
        name = path.relative_to(CORPUS).as_posix()
        if path.suffix == ".pdf":
            texts[name] = pdf_text(path.read_bytes())
        elif path.suffix in (".docx", ".epub"):
            texts[name] = zip_text(path)
        elif path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                texts[record["_id"]] = f"{record['title']}\n{record['text']}"
        elif path.suffix == ".html":
            texts[name] = without_tags(path.read_text(encoding="utf-8"))
        else:
            texts[name] = path.read_text(encoding="utf-8")
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
