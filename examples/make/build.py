"""Make the PDF, DOCX and EPUB files of the example corpus from source/.

    python3 examples/make/build.py           write them
    python3 examples/make/build.py --check   fail if a committed file differs

Only the standard library is used, and the bytes are the same on every machine.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True  # no cache files in the checkout

import source_text  # noqa: E402
import write_docx  # noqa: E402
import write_epub  # noqa: E402
import write_pdf  # noqa: E402

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus"
WRITERS = {".pdf": write_pdf.write, ".docx": write_docx.write, ".epub": write_epub.write}


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = []
    for path in sorted((HERE / "source").glob("*.txt")):
        source = source_text.read(path)
        target = CORPUS / source.output
        data = WRITERS[target.suffix](source)
        if check:
            if not target.exists() or target.read_bytes() != data:
                stale.append(source.output)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    for output in stale:
        print(f"{output} differs from its source: run python3 examples/make/build.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
