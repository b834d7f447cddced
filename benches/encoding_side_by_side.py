#!/usr/bin/env python3
"""Is encoding ahead of ONNX Runtime and torch? Texts of 128 tokens a second, and memory.

Every engine has a process of its own, uses all cores, and takes turns with the others call by call,
so whatever else runs on the machine hits them alike; figures are medians. Ours includes tokenisation;
the others get ready-made token ids. Ours runs in int8 and f32, ONNX Runtime in f32 and with its
dynamic int8 quantisation of weights, torch in f32. *Ready* is the time until the first text is
encoded: from the start of the process for ours, without Python's start and imports for the others.
Peaks are those of the whole process, with what it had before the model was opened beside them.

The model is the embedded one, or another that is added in either precision (`--weights`).

Sets up its own environment, with torch (several gigabytes), and fetches the f32 weights:
python3 benches/encoding_side_by_side.py [--weights all-mpnet-base-v2] [--rounds 12] [--batches 1 8 32]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import environment

environment.enter(
    ["torch", "transformers", "onnx", "onnxruntime", "numpy"], ["torch", "transformers", "onnx", "onnxruntime", "numpy"]
)

TOKENS = 128


def pooled(folder):
    """The published model in torch: tokens to vectors of length 1."""
    import torch
    import transformers

    class Pooled(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, ids, mask):
            hidden = self.inner(input_ids=ids, attention_mask=mask).last_hidden_state
            return torch.nn.functional.normalize(hidden.mean(1), dim=1)

    transformers.utils.logging.disable_progress_bar()
    return Pooled(transformers.AutoModel.from_pretrained(folder).eval())


def export(folder, out):
    """The model for ONNX Runtime, in f32 and with 8-bit weights."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    exported, small = Path(out) / "model.onnx", Path(out) / "model-int8.onnx"
    sample = torch.ones((2, TOKENS), dtype=torch.long)
    axes = {"ids": {0: "b", 1: "t"}, "mask": {0: "b", 1: "t"}}
    torch.onnx.export(pooled(folder), (sample, sample), str(exported), input_names=["ids", "mask"],
                      dynamic_axes=axes, dynamo=False)
    quantize_dynamic(str(exported), str(small), weight_type=QuantType.QInt8)
    return exported, small


def torch_engine(folder):
    import torch

    torch.set_num_threads(os.cpu_count())
    model = pooled(folder)

    @torch.inference_mode()
    def run(ids):
        return model(torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.long))

    return run


def onnx_engine(file):
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda ids: session.run(None, {"ids": ids, "mask": np.ones_like(ids)})


def serve(kind, file):
    """A peer's process: answers batch sizes by the seconds that a call took."""
    import numpy as np

    warnings.filterwarnings("ignore")
    if kind == "torch":
        import torch
        import transformers.models.bert.modeling_bert
    else:
        import onnxruntime
    rng = np.random.default_rng(7)
    ids = rng.integers(1000, 30000, (64, TOKENS))
    before, begin = environment.kilobytes("VmRSS"), time.perf_counter()
    engine = torch_engine(file) if kind == "torch" else onnx_engine(file)
    engine(ids[:1])
    print(time.perf_counter() - begin, before, flush=True)
    for line in sys.stdin:
        batch = ids[: int(line)]
        begin = time.perf_counter()
        engine(batch)
        print(time.perf_counter() - begin, flush=True)


class Engine:
    def __init__(self, command, size):
        begin = time.perf_counter()
        self.served, self.size = environment.Served(command), size
        if command[0] == sys.executable:
            ready, before = self.served.line()
            self.ready, self.before = float(ready), int(before)
        else:
            self.seconds(1)
            self.ready, self.before = time.perf_counter() - begin, 0

    def seconds(self, batch):
        return float(self.served.ask(batch)[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", default=environment.MINILM, choices=environment.WEIGHTS)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32], help="each at most 64")
    parser.add_argument("--program", help="a bench program built before")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    program = args.program or environment.program("encode")
    folder = environment.published_weights(args.weights)
    with tempfile.TemporaryDirectory() as scratch:
        # In a process of its own, whose memory is given back.
        script = [sys.executable, __file__]
        subprocess.run([*script, "export", folder, scratch], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        exported, small = Path(scratch) / "model.onnx", Path(scratch) / "model-int8.onnx"
        weights = (folder / "model.safetensors").stat().st_size
        if args.weights == environment.MINILM:
            embedded = environment.ROOT / "models" / "weights" / "all-minilm-l6-v2.int8"
            ours = Engine([program, "serve"], embedded.stat().st_size)
        else:
            ours = Engine([program, "serve", environment.in_int8(folder, scratch)], weights)
        engines = {
            "indago, int8": ours,
            "indago, f32": Engine([program, "serve", folder], weights),
            "ONNX Runtime, f32": Engine([*script, "serve", "onnx", exported], exported.stat().st_size),
            "ONNX Runtime, dynamic int8": Engine([*script, "serve", "onnx", small], small.stat().st_size),
            "torch, f32": Engine([*script, "serve", "torch", folder], weights),
        }
        rates = {name: [] for name in engines}
        for batch in args.batches:
            times = {name: [] for name in engines}
            for turn in range(args.rounds + 1):
                for name, engine in engines.items():
                    seconds = engine.seconds(batch)
                    if turn:  # the first turn warms up
                        times[name].append(seconds)
            ours = statistics.median(times["indago, int8"])
            for name, seconds in times.items():
                median = statistics.median(seconds)
                rates[name].append(f"{batch / median:.1f} ({batch / min(seconds):.1f}), {ours / median:.2f}")
        print("texts/s in the median (best), of ours in int8\n")
        columns = "".join(f" batch {batch} |" for batch in args.batches)
        print(f"| engine |{columns} ready, s | MB on disk | peak MB (before the model) |")
        print("|---|" + "---|" * (len(args.batches) + 3))
        for name, engine in engines.items():
            print(f"| {name} | {' | '.join(rates[name])} | {engine.ready:.2f} | {engine.size / 1e6:.0f} | "
                  f"{engine.served.peak() // 1024} ({engine.before // 1024}) |")


if sys.argv[1:2] == ["export"]:
    export(*sys.argv[2:4])
elif sys.argv[1:2] == ["serve"]:
    serve(*sys.argv[2:4])
else:
    main()
