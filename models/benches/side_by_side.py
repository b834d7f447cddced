"""Encoding speed beside ONNX Runtime and torch, in one run: passages of 128 tokens a second.

    cargo bench -p indago-models --bench encode --no-run     # prints the path of the program
    pip install torch transformers onnxruntime onnx
    python side_by_side.py BENCH_PROGRAM FOLDER_WITH_F32_WEIGHTS [ROUNDS [BATCH...]]

All engines use all cores and take turns call by call, so whatever else runs on the machine hits
them alike; the ratio of the medians is what counts. Ours includes tokenisation; the others get
ready-made token ids. Ours runs in int8 (weights) and f32, ONNX Runtime in f32 and with its dynamic
int8 quantisation of weights, torch in f32.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic

TOKENS = 128
BATCHES = (1, 8, 32)  # at most 64


class Ours:
    def __init__(self, program, *model):
        self.process = subprocess.Popen([program, "serve", *model], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def seconds(self, batch):
        self.process.stdin.write(f"{batch}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Timed:
    def __init__(self, call):
        self.call = call
        rng = np.random.default_rng(7)
        self.ids = {b: rng.integers(1000, 30000, (b, TOKENS)) for b in range(1, 65)}

    def seconds(self, batch):
        begin = time.perf_counter()
        self.call(self.ids[batch])
        return time.perf_counter() - begin


def onnx_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda ids: session.run(None, {"ids": ids, "mask": np.ones_like(ids)})


def main():
    warnings.filterwarnings("ignore")
    program, folder = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 15
    batches = [int(batch) for batch in sys.argv[4:]] or BATCHES
    torch.set_num_threads(os.cpu_count())
    model = transformers.AutoModel.from_pretrained(folder).eval()

    class Pooled(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, ids, mask):
            hidden = self.inner(input_ids=ids, attention_mask=mask).last_hidden_state
            return torch.nn.functional.normalize(hidden.mean(1), dim=1)

    pooled = Pooled(model)

    @torch.inference_mode()
    def run_torch(ids):
        return pooled(torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.long))

    with tempfile.TemporaryDirectory() as scratch:
        exported, small = Path(scratch) / "model.onnx", Path(scratch) / "model-int8.onnx"
        sample = torch.ones((2, TOKENS), dtype=torch.long)
        torch.onnx.export(pooled, (sample, sample), str(exported), input_names=["ids", "mask"],
                          dynamic_axes={"ids": {0: "b", 1: "t"}, "mask": {0: "b", 1: "t"}},
                          dynamo=False)
        quantize_dynamic(str(exported), str(small), weight_type=QuantType.QInt8)
        engines = {
            "indago int8": Ours(program),
            "indago f32": Ours(program, folder),
            "onnxruntime f32": Timed(onnx_session(exported)),
            "onnxruntime int8": Timed(onnx_session(small)),
            "torch f32": Timed(run_torch),
        }
        for batch in batches:
            times = {name: [] for name in engines}
            for turn in range(rounds + 1):
                for name, engine in engines.items():
                    seconds = engine.seconds(batch)
                    if turn:  # the first turn warms up
                        times[name].append(seconds)
            print(f"batch {batch}: passages/s median (best), ratio of medians to ours in int8")
            ours = statistics.median(times["indago int8"])
            for name, seconds in times.items():
                median = statistics.median(seconds)
                print(f"  {name:<17} {batch / median:7.1f} ({batch / min(seconds):6.1f})  "
                      f"{ours / median:5.2f}", flush=True)


main()
