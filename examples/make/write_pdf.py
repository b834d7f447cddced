"""Write a text PDF with the two standard Helvetica fonts; no packages needed.

The page streams are wrapped as *stored* zlib blocks, so a reader has to undo
FlateDecode, yet the bytes do not depend on the zlib that is installed.
"""

import struct
import zlib

from source_text import Source

PAGE_WIDTH, PAGE_HEIGHT = 595, 842  # A4 in points
MARGIN = 64

# Advance widths of Helvetica for the codes 32 to 126, in thousandths of the
# font size (Adobe Font Metrics). Letters beyond ASCII count as 556.
WIDTHS = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
]  # fmt: skip


def width(text: str, size: float) -> float:
    units = sum(WIDTHS[ord(c) - 32] if 32 <= ord(c) < 127 else 556 for c in text)
    return units * size / 1000


def wrap(text: str, size: float, limit: float) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and width(longer, size) > limit:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def literal(text: str) -> bytes:
    raw = text.encode("cp1252")
    for plain in (b"\\", b"(", b")"):
        raw = raw.replace(plain, b"\\" + plain)
    return b"(" + raw + b")"


def stored_zlib(data: bytes) -> bytes:
    out = b"\x78\x01"
    pieces = [data[i : i + 65535] for i in range(0, len(data), 65535)] or [b""]
    for n, piece in enumerate(pieces):
        last = n == len(pieces) - 1
        out += struct.pack("<BHH", last, len(piece), len(piece) ^ 0xFFFF) + piece
    return out + struct.pack(">I", zlib.adler32(data))


class Pages:
    """Places lines from top to bottom and turns the page when it is full."""

    def __init__(self) -> None:
        self.pages: list[list[bytes]] = [[]]
        self.y = PAGE_HEIGHT - MARGIN

    def turn(self) -> None:
        self.pages.append([])
        self.y = PAGE_HEIGHT - MARGIN

    def line(self, text: str, font: str, size: float, x: float = MARGIN) -> None:
        self.place(text, font, size, x, self.y)

    def place(self, text: str, font: str, size: float, x: float, y: float) -> None:
        command = f"BT /{font} {size:g} Tf 1 0 0 1 {x:.1f} {y:.1f} Tm ".encode()
        self.pages[-1].append(command + literal(text) + b" Tj ET")

    def down(self, step: float) -> None:
        self.y -= step
        if self.y < MARGIN + 24:
            self.turn()


def lay_out(source: Source) -> list[bytes]:
    pages = Pages()
    limit = PAGE_WIDTH - 2 * MARGIN
    for block in source.blocks:
        if block.kind == "page":
            pages.turn()
        elif block.kind in ("h1", "h2"):
            size = 17 if block.kind == "h1" else 12.5
            pages.down(8)
            for line in wrap(block.text, size, limit):
                pages.line(line, "F2", size)
                pages.down(size * 1.4)
            pages.down(3)
        elif block.kind == "table":
            column = limit / max(len(row) for row in block.rows)
            for row in block.rows:
                for n, cell in enumerate(row):
                    pages.line(cell, "F1", 10, MARGIN + n * column)
                pages.down(15)
            pages.down(6)
        else:
            for line in wrap(block.text, 10.5, limit):
                pages.line(line, "F1", 10.5)
                pages.down(14.5)
            pages.down(6)
    total = len(pages.pages)
    streams = []
    for n, commands in enumerate(pages.pages, start=1):
        footer = f"{source.title}    page {n} of {total}"
        place = f"BT /F1 8 Tf 1 0 0 1 {MARGIN} 36 Tm ".encode()
        streams.append(b"\n".join([*commands, place + literal(footer) + b" Tj ET"]))
    return streams


def write(source: Source) -> bytes:
    streams = lay_out(source)
    stamp = f"D:{source.date.replace('-', '')}090000Z"
    page_ids = [6 + 2 * n for n in range(len(streams))]
    kids = " ".join(f"{i} 0 R" for i in page_ids)
    info = b"<< /Title " + literal(source.title) + b" /Author " + literal(source.author)
    info += f" /CreationDate ({stamp}) /ModDate ({stamp}) >>".encode()
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        font.format("Helvetica").encode(),
        font.format("Helvetica-Bold").encode(),
        info,
    ]
    for page_id, stream in zip(page_ids, streams):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE_WIDTH} {PAGE_HEIGHT}] "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {page_id + 1} 0 R >>".encode()
        )
        data = stored_zlib(stream)
        objects.append(
            f"<< /Length {len(data)} /Filter /FlateDecode >>\nstream\n".encode() + data + b"\nendstream"
        )
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for n, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{n} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\n".encode()
    return out + f"startxref\n{table}\n%%EOF\n".encode()
