"""How good are answers with a small language model on this machine, and what do its loops cost?

    python3 benches/language_model.py --data DIR [--set NAME]... [--half dev] [--limit 20] \\
        [--loop follow]... [--work DIR]

Serves a published decoder (`environment.py`) with llama.cpp, as users of a local model do, and scores
`indago eval ask` without a model and with each loop. Prints a Markdown table. Quality, not speed: the
prebuilt server knows AVX2 only, and nothing else should run beside it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from environment import QWEN, ROOT, enter, published_decoder

PACKAGES = ["xllamacpp==2026.10.11549"]
WINDOW = 8192


def serve(model, port, threads, slots):
    """Serves `model` until it is killed; runs in a process of its own."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_ctx, params.n_parallel = WINDOW * slots, slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(60)


@contextmanager
def served(port, threads, slots=1):
    """A published decoder behind a server of its own, which answers `slots` requests at a time: the settings of
    a project that asks it as `local`."""
    url = f"http://127.0.0.1:{port}/v1"
    command = [sys.executable, Path(__file__).with_name("language_model.py"), "--serve", published_decoder(),
               "--port", port, "--threads", threads, "--slots", slots]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        try:
            wait_for(url, server)
            yield (f'[models.local]\nbase_url = "{url}"\nmodel = "{QWEN}"\nwindow = {WINDOW}\n'
                   f'concurrent = {slots}\n')
        finally:
            server.kill()


def wait_for(url, server):
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError("the server ended before it answered")
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server does not answer")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path)
    options.add_argument("--set", action="append", default=[])
    options.add_argument("--half", default="dev")
    options.add_argument("--limit", type=int, default=20)
    options.add_argument("--loop", action="append", default=[])
    options.add_argument("--work", type=Path)
    options.add_argument("--port", type=int, default=8791)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--slots", type=int, default=1, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.serve:
        serve(args.serve, args.port, args.threads, args.slots)
    if args.data is None:
        options.error("--data DIR is needed: a folder of data sets")
    with served(args.port, args.threads) as settings, tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        project.mkdir()
        (project / "indago.toml").write_text(settings)
        measure(args, project, args.work or Path(scratch) / "work")


def measure(args, project, work):
    print("| set | answered by | n | all gold quoted | precision | EM | F1 | not found | calls | tokens | s |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for loop in [None, *(args.loop or ["follow", "interleave"])]:
        command = [ROOT / "target/release/indago", "--json", "eval", "ask", "--project", project,
                   "--data", args.data, "--half", args.half, "--limit", args.limit, "--work", work]
        for name in args.set:
            command += ["--set", name]
        asked = work / "asked.jsonl"
        command += ["--per-question", asked]
        if loop:
            command += ["--model", "local", "--loop", loop]
        done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
        lines = [json.loads(line) for line in asked.read_text().splitlines()]
        for row in json.loads(done.stdout)["rows"]:
            turned_away = [line["abstained"] for line in lines if line["set"] == row["set"]]
            share = lambda estimate: f"{100 * estimate['mean']:.0f}" if estimate else "-"
            print("|", " | ".join([
                row["set"], loop or "no model", str(row["questions"]), share(row["all_recall"]),
                f"{100 * (row['precision'] or 0):.0f}", share(row["exact"]), f"{100 * (row['f1'] or 0):.0f}",
                f"{100 * sum(turned_away) / len(turned_away):.0f}", f"{row['lm_calls']:.1f}",
                f"{row['lm_tokens']:.0f}", f"{row['p50_ms'] / 1e3:.1f}",
            ]), "|", flush=True)


if __name__ == "__main__":
    enter(PACKAGES, ["xllamacpp"])
    main()
