"""Read the small markup of the files in source/.

A file starts with `key: value` lines (title, author, date, output) and an empty
line. After that, blocks are separated by empty lines: `# ` and `## ` start
headings, lines with bars are the rows of a table, `---page---` starts a new
page where the format has pages, and everything else is a paragraph.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Block:
    kind: str  # "h1", "h2", "paragraph", "table" or "page"
    text: str = ""
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Source:
    title: str
    author: str
    date: str  # ISO, for example 2020-03-09
    output: str  # path inside the corpus
    blocks: list[Block]


def read(path: Path) -> Source:
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    meta = dict(line.split(": ", 1) for line in head.splitlines())
    blocks = [block(part) for part in body.strip().split("\n\n")]
    return Source(meta["title"], meta["author"], meta["date"], meta["output"], blocks)


def block(part: str) -> Block:
    part = part.strip()
    if part == "---page---":
        return Block("page")
    if part.startswith("## "):
        return Block("h2", part[3:])
    if part.startswith("# "):
        return Block("h1", part[2:])
    if part.startswith("|"):
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in part.splitlines()]
        return Block("table", rows=rows)
    return Block("paragraph", " ".join(part.split()))
