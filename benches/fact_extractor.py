"""What do facts that a small language model reads off passages bring to `ppr`, against those found by rules?

    python3 benches/fact_extractor.py --data DIR --work DIR [--set NAME] [--half all]

Scores `ppr` with names and facts found by rules, has a published decoder (`environment.py`) read every passage
of the set, and scores it again. Prints a Markdown table. What was read stays in `--work`, so a second run goes
on where a first one ended. Hours: about a quarter of a minute a passage on two cores.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

from environment import ROOT, enter
from language_model import PACKAGES, served

INDAGO = ROOT / "target/release/indago"
MEASURES = ["recall@5", "allr@10", "ndcg_binary@10", "mrr@10", "hits@10"]


def scored(args, work, retrievers):
    """The set's rows, each retriever's by its name, with the set's corpus left in `work`."""
    command = [INDAGO, "--json", "eval", "retrieval", "--data", args.data, "--set", args.set, "--half", args.half,
               "--work", work]
    for retriever in retrievers:
        command += ["--retriever", retriever]
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
    return {row["retriever"]: row for row in json.loads(done.stdout)["rows"]}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--set", default="multihop-rag-evidence")
    options.add_argument("--half", default="all")
    options.add_argument("--port", type=int, default=8792)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--slots", type=int, default=2)
    args = options.parse_args()
    before = scored(args, args.work / "rules", ["ppr", "graph"])
    read = args.work / "read"
    scored(args, read, ["bm25"])
    project = read / f"{args.set}-whole"
    began = time.monotonic()
    with served(args.port, args.threads, args.slots) as settings:
        (project / "indago.toml").write_text(settings)
        command = [INDAGO, "index", "--project", project, "--graph-extractor", "local"]
        subprocess.run([str(part) for part in command], check=True)
    seconds = time.monotonic() - began
    after = scored(args, read, ["ppr"])
    print("| set | retriever | n |", " | ".join(MEASURES), "|")
    print("|---" * (len(MEASURES) + 3) + "|")
    rows = {"ppr, rules": before["ppr"], "ppr, language model": after["ppr"], "graph": before["graph"]}
    for name, row in rows.items():
        figures = [f"{100 * row['means'][measure]:.1f}" for measure in MEASURES]
        print("|", " | ".join([args.set, name, str(row["questions"]), *figures]), "|")
    print(f"\n{seconds:.0f} s of reading in this run")


if __name__ == "__main__":
    enter(PACKAGES, ["xllamacpp"])
    main()
