#!/usr/bin/env python3
"""What does a larger encoder bring, in 8 bits and in f32? Retrieval with all-mpnet-base-v2 beside the
embedded encoder.

Adds the published weights to a registry of its own, indexes the sets with them and scores the retrievers over
both encoders. Encoding takes a while: 25 to 50 passages a second in 8 bits on two cores, a third of that in f32
(`--f32` adds it). Indexes are kept in `--work`, where that is given.

Sets up its own environment and fetches the weights (440 MB):
python3 benches/larger_encoder.py --data DIR [--set scifact --set cacm] [--half dev] [--f32] [--work DIR]
"""

import argparse
import os
import subprocess
import tempfile

import environment

environment.enter(["pip"], ["pip"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--half", choices=["dev", "report"])
    parser.add_argument("--f32", action="store_true")
    parser.add_argument("--work")
    parser.add_argument("--program", default=environment.ROOT / "target" / "release" / "indago")
    args = parser.parse_args()
    precisions = {"mpnet8": "int8"} | ({"mpnet": "f32"} if args.f32 else {})
    retrievers = ["bm25"] + [f"{name}{at}" for at in ["", *(f"@{name}" for name in precisions)]
                             for name in ("dense", "fused", "graph")]
    options = [word for name in args.set for word in ("--set", name)]
    options += ["--half", args.half] if args.half else []
    options += ["--work", args.work] if args.work else []
    options += [word for name in retrievers for word in ("--retriever", name)]
    folder = environment.published_weights(environment.MPNET)
    with tempfile.TemporaryDirectory() as registry:
        environs = os.environ | {"INDAGO_MODELS": registry}
        for name, precision in precisions.items():
            subprocess.run([args.program, "models", "add", folder, "--name", name, "--precision", precision],
                           check=True, env=environs)
        subprocess.run([args.program, "eval", "retrieval", "--data", args.data, *options], check=True, env=environs)


main()
