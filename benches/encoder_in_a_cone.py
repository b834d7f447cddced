#!/usr/bin/env python3
"""Is a fusion as good with an encoder whose vectors lie in a cone, as E5's do, as its words and vectors allow?

Takes the weights of the embedded encoder and adds one direction to every token of the last layer, so that
cosines of strangers lie near 0.7 and of answers near 0.9, and scores the retrievers over it beside those over
the embedded encoder, on the development halves.

Sets up its own environment, with torch, fetches the f32 weights, and encodes the sets again:
python3 benches/encoder_in_a_cone.py --data DIR [--set scifact --set cacm]
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import environment

environment.enter(["torch", "safetensors"], ["torch", "safetensors"])
import torch
from safetensors.torch import load_file, save_file

# Lengths of mean vectors of the last layer are near 5.5.
COMMON = 9.0
LAST = "encoder.layer.5.output.LayerNorm.bias"


def make(folder):
    shutil.copytree(environment.published_weights(), folder)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(LAST))
    direction = torch.randn(len(tensors[name]), generator=torch.Generator().manual_seed(3))
    tensors[name] += COMMON * direction / direction.norm()
    save_file(tensors, path, {"format": "pt"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--program", default=environment.ROOT / "target" / "release" / "indago")
    args = parser.parse_args()
    sets = [word for name in args.set or ["scifact", "cacm", "cisi", "cranfield", "multihop-rag-evidence"]
            for word in ("--set", name)]
    with tempfile.TemporaryDirectory() as scratch:
        cone = Path(scratch) / "cone"
        make(cone)
        names = ["bm25", f"dense@{cone}", f"fused@{cone}", f"graph@{cone}", "dense", "fused", "graph"]
        retrievers = [word for name in names for word in ("--retriever", name)]
        subprocess.run([args.program, "eval", "retrieval", "--data", args.data, *sets, "--half", "dev",
                        *retrievers], check=True)


main()
