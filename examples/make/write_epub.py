"""Write an EPUB 3 with one file for each chapter; a chapter starts at a `# `."""

from xml.sax.saxutils import escape

import write_zip
from source_text import Block, Source

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
XHTML = 'html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en"'

CONTAINER = f"""{XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""


def chapters(blocks: list[Block]) -> list[tuple[str, list[Block]]]:
    found: list[tuple[str, list[Block]]] = []
    for block in blocks:
        if block.kind == "h1":
            found.append((block.text, []))
        else:
            found[-1][1].append(block)
    return found


def chapter_page(title: str, blocks: list[Block]) -> str:
    tags = {"h2": "h2", "paragraph": "p"}
    body = "\n".join(f"<{tags[b.kind]}>{escape(b.text)}</{tags[b.kind]}>" for b in blocks)
    return f"{XML}<{XHTML}>\n<head><title>{escape(title)}</title></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>"


def write(source: Source) -> bytes:
    parts = chapters(source.blocks)
    names = [f"chapter-{n}.xhtml" for n in range(1, len(parts) + 1)]
    items = "\n".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(names, 1)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(1, len(names) + 1))
    package = f"""{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:indago:example:{source.output.split("/")[-1].removesuffix(".epub")}</dc:identifier>
<dc:title>{escape(source.title)}</dc:title>
<dc:creator>{escape(source.author)}</dc:creator>
<dc:language>en</dc:language>
<dc:date>{source.date}</dc:date>
<meta property="dcterms:modified">{source.date}T09:00:00Z</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
{items}
</manifest>
<spine>{spine}</spine>
</package>"""
    links = "\n".join(f'<li><a href="{name}">{escape(title)}</a></li>' for name, (title, _) in zip(names, parts))
    nav = f"""{XML}<{XHTML}>
<head><title>Contents</title></head>
<body><nav epub:type="toc"><h1>Contents</h1><ol>
{links}
</ol></nav></body>
</html>"""
    entries = [
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", CONTAINER),
        ("OEBPS/content.opf", package),
        ("OEBPS/nav.xhtml", nav),
    ]
    entries += [(f"OEBPS/{name}", chapter_page(*part)) for name, part in zip(names, parts)]
    return write_zip.write(entries)
