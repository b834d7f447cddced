#!/usr/bin/env python3
"""How far are the GPU kernels from the device's floors, and how do they compare with torch's?

Builds nothing and prints three tables: what was counted (bytes to move and operations to do; this one
needs no GPU, `--count` prints it alone), the times with their floors, and the goals with what was
found. On any machine, before: cargo build --release -p indago-kernels --features cuda
--example gpu (and, for --sanitize, cargo test -p indago-kernels --features cuda --test cuda_shim
--no-run). On the machine with the GPU: python3 benches/gpu.py [--program FILE] [--rows N ...]
It needs the driver and libnvrtc.so.13 on LD_LIBRARY_PATH, and libcublasLt.so.13 for the rows called
"library"; torch and transformers are used where they are there (without them their columns stay
empty). Sharding is timed where there are two devices or more. --tiny takes sizes that a driver
without a device gets through: its figures mean nothing, it shows that all of it runs.

Floors, measured in the same run: copy bandwidth within the device and from page-locked memory (the
program's own copies), matrix rate (torch, f16, 8192^3; without torch the last column is empty).
Torch's side: matmul and topk over f16 rows for the scans, BertModel in f16 with MiniLM's sizes.
faiss's and cuVS's side: a flat index, where a faiss with GPU support or cuvs is there.
The table of times: time, floor, floor over time, torch, torch over ours, faiss, cuVS.

--sanitize TEST runs that test program on the device under compute-sanitizer's memcheck and racecheck.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIM = 256
ARITHMETICS = ("f16 library", "f16 own", "bf16 library", "bf16 own")
LATE = "maxsim 1000 x 128, 32 query tokens, dim 128"


def output_of(*command):
    """What a command prints; when it fails, this ends with what it said."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")
    if done.returncode != 0:
        sys.exit(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def ours(program, device, sizes):
    """The device, what makes the library's products, and the program's lines by case."""
    lines = [json.loads(line) for line in output_of(program, device, *sizes).splitlines()]
    return lines[0], {line["case"]: line for line in lines[1:]}


def count_text(n):
    return f"{n // 1_000_000} M" if n >= 1_000_000 else str(n)


def timed(torch, run):
    """Median seconds of `run`, which leaves its work on the device."""
    run()
    torch.cuda.synchronize()
    times, begin = [], time.perf_counter()
    while len(times) < 3 or (len(times) < 200 and time.perf_counter() - begin < 2):
        since = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - since)
    return statistics.median(times)


def theirs(rows):
    """Torch's seconds by the program's case, and the matrix rate in operations a second."""
    try:
        import torch
    except ImportError:
        return {}, None
    if not torch.cuda.is_available():
        return {}, None
    torch.backends.cuda.matmul.allow_tf32 = False
    found = {}
    with torch.inference_mode():
        a = torch.randn(8192, 8192, dtype=torch.float16, device="cuda")
        b = torch.randn(8192, 8192, dtype=torch.float16, device="cuda")
        rate = 2 * 8192**3 / timed(torch, lambda: torch.matmul(a, b))
        del a, b
        for n in rows:
            count = count_text(n)
            if n > 100_000_000:
                continue
            table = torch.empty(n, DIM, dtype=torch.float16, device="cuda")
            for i in range(0, n, 1_000_000):
                table[i : i + 1_000_000].normal_()
            for queries, k, case in [
                (64, 10, f"f16 scan {count} x {DIM}, 64 queries, k 10"),
                (64, 1000, f"f16 scan {count} x {DIM}, 64 queries, k 1000"),
                (1, 10, f"int8 scan {count} x {DIM}, 1 queries, k 10"),
                (1, 1000, f"int8 scan {count} x {DIM}, 1 queries, k 1000"),
            ]:
                asked = torch.randn(queries, DIM, dtype=torch.float16, device="cuda")
                try:
                    found[case] = timed(
                        torch, lambda: torch.topk(torch.matmul(asked, table.T), k, dim=1)
                    )
                except torch.cuda.OutOfMemoryError:
                    torch.cuda.empty_cache()
            del table
            torch.cuda.empty_cache()
        found.update(torch_encoder(torch))
        found.update(torch_max_sim(torch))
    return found, rate


def torch_encoder(torch):
    try:
        from transformers import BertConfig, BertModel
    except ImportError:
        return {}
    config = BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
        intermediate_size=1536,
    )
    model = BertModel(config, add_pooling_layer=False).half().cuda().eval()
    found = {}
    for batch in (1, 32, 256):
        ids = torch.randint(0, 30000, (batch, 128), device="cuda")

        def run():
            means = model(ids).last_hidden_state.float().mean(dim=1)
            # Ours ends with the vectors on the host.
            torch.nn.functional.normalize(means).cpu()

        found[f"minilm {batch} x 128 tokens"] = timed(torch, run)
    pairs = torch.randint(0, 30000, (100, 256), device="cuda")
    pooler = torch.nn.Linear(384, 384).half().cuda()
    classifier = torch.nn.Linear(384, 1).half().cuda()

    def rerank():
        first = model(pairs).last_hidden_state[:, 0]
        classifier(torch.tanh(pooler(first))).float().cpu()

    found["rerank 100 x 256 tokens"] = timed(torch, rerank)
    return found


def torch_max_sim(torch):
    tokens = torch.randn(1000, 128, 128, dtype=torch.float16, device="cuda")
    query = torch.randn(32, 128, dtype=torch.float16, device="cuda")

    def run():
        torch.einsum("ntd,qd->nqt", tokens, query).amax(dim=2).sum(dim=1).cpu()

    return {LATE: timed(torch, run)}


def faiss_flat(rows):
    """Seconds of a flat f16 index on the device, 64 queries, where faiss has GPU support."""
    try:
        import faiss
        import numpy as np
    except ImportError:
        return {}
    if not hasattr(faiss, "StandardGpuResources"):
        return {}
    n = min(rows)
    values = np.random.default_rng(1).standard_normal((n, DIM), dtype=np.float32)
    config = faiss.GpuIndexFlatConfig()
    config.useFloat16 = True
    index = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), DIM, config)
    index.add(values)
    times = []
    for _ in range(20):
        since = time.perf_counter()
        index.search(values[:64], 10)
        times.append(time.perf_counter() - since)
    return {f"f16 scan {count_text(n)} x {DIM}, 64 queries, k 10": statistics.median(times)}


def cuvs_flat(rows):
    """Seconds of cuVS's brute force over f32 rows on the device, 64 queries, where cuvs is there."""
    try:
        import torch
        from cuvs.neighbors import brute_force
    except ImportError:
        return {}
    n = min(rows)
    values = torch.randn(n, DIM, device="cuda")
    index = brute_force.build(values, metric="inner_product")
    asked = torch.randn(64, DIM, device="cuda")
    seconds = timed(torch, lambda: brute_force.search(index, asked, 10))
    return {f"f16 scan {count_text(n)} x {DIM}, 64 queries, k 10": seconds}


def floor_of(case, line, lines, rate):
    """Seconds below which the device cannot be, and what bounds it."""
    copy = lines["copy"]["bytes"] / lines["copy"]["p50"]
    link = lines["link"]["bytes"] / lines["link"]["p50"]
    if case.startswith("streamed"):
        return line["bytes"] / link, "link"
    bounds = [(line["bytes"] / copy, "memory")]
    # Integer and single-query scans do not run on the matrix units.
    if rate and not case.startswith(("int8", "search", "sharded")):
        bounds.append((line["operations"] / rate, "matrix"))
    return max(bounds)


def count(program, sizes):
    """Prints what each case has to move and to do."""
    out = output_of(program, "count", *sizes)
    print("| counted | GB to move | G operations | operations a byte |")
    print("|---|---|---|---|")
    for line in map(json.loads, out.splitlines()):
        gb, giga = line["bytes"] / 1e9, line["operations"] / 1e9
        print(f"| {line['case']} | {gb:.3f} | {giga:.1f} | {giga / gb:.1f} |")
    print(flush=True)


def goals(lines, torch_times, rate, rows):
    """Prints each goal, what was found, and whether that meets it."""
    print("| goal | wanted | found | met |")
    print("|---|---|---|---|")

    def row(goal, wanted, found, met, unit="{:.0%}"):
        said = "not measured" if found is None else unit.format(found)
        verdict = "open" if found is None else "" if met is None else "yes" if met(found) else "no"
        print(f"| {goal} | {wanted} | {said} | {verdict} |")

    def share(case):
        line = lines.get(case)
        return floor_of(case, line, lines, rate)[0] / line["p50"] if line else None

    def over(case, base):
        return lines[case]["p50"] / lines[base]["p50"] - 1 if {case, base} <= lines.keys() else None

    for count in map(count_text, rows):
        scan = f"int8 scan {count} x {DIM}, 1 queries"
        row(f"{scan}, k 10", ">= 85% of the copy bandwidth", share(f"{scan}, k 10"), lambda x: x >= 0.85)
        row(f"{scan}: k 1000 over k 10", "<= 10% more", over(f"{scan}, k 1000", f"{scan}, k 10"), lambda x: x <= 0.1)
        batch = f"f16 scan {count} x {DIM}, 64 queries"
        if f"{batch}, k 10" in lines:
            line = lines[f"{batch}, k 10"]
            reached = line["operations"] / line["p50"] / rate if rate else None
            row(f"{batch}, k 10", ">= 60% of the matrix rate", reached, lambda x: x >= 0.6)
            row(f"{batch}, k 10", "(share of its own floor)", share(f"{batch}, k 10"), lambda x: x >= 0.6)
            row(f"{batch}: k 1000 over k 10", "<= 10% more", over(f"{batch}, k 1000", f"{batch}, k 10"), lambda x: x <= 0.1)
        for kind in ("int8", "f16"):
            streamed = f"streamed {kind} scan {count} x {DIM}, k 10"
            row(streamed, ">= 80% of the link", share(streamed), lambda x: x >= 0.8)
        search = f"search {count} x {DIM}, k 10"
        if search in lines:
            for q in ("p50", "p99"):
                row(f"{search}, {q}", "(no goal)", lines[search][q] * 1e3, None, "{:.3f} ms")
        sharded = f"sharded {search}"
        if {search, sharded} <= lines.keys():
            gained = lines[search]["p50"] / lines[sharded]["p50"]
            row(f"{sharded}: one device's time over that of all", "(no goal)", gained, None, "{:.2f}")
    late = lines.get(LATE)
    row("MaxSim, 1,000 x 128", "< 1 ms", late and late["p50"] * 1e3, lambda x: x < 1, "{:.3f} ms")
    for base in ("minilm 256 x 128 tokens", "rerank 100 x 256 tokens"):
        for how in ARITHMETICS:
            mine, torchs = lines.get(f"{base}, {how}"), torch_times.get(base)
            ahead = torchs / mine["p50"] if mine and torchs else None
            row(f"{base}, {how}: torch's f16 time over ours", "> 1", ahead, lambda x: x > 1, "{:.2f}")
            if mine:
                n = int(base.split()[1])
                row(f"{base}, {how}", "(no goal)", n / mine["p50"], None, "{:.0f} texts/s")


def sanitize(test, device):
    failed = 0
    for tool in ("memcheck", "racecheck"):
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", test]
        print("$", *command, flush=True)
        environment = {**os.environ, "INDAGO_TEST_DEVICE": device, "PROPTEST_CASES": "4"}
        try:
            failed |= subprocess.run([*command, "--test-threads", "1"], env=environment).returncode
        except OSError:
            sys.exit("compute-sanitizer was not found: it comes with the CUDA toolkit")
    return failed


def rows_given(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of rows")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/examples/gpu")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rows", type=rows_given, nargs="+")
    parser.add_argument("--tiny", action="store_true", help="sizes for a driver without a device")
    parser.add_argument("--count", action="store_true", help="only what is counted; needs no GPU")
    parser.add_argument("--sanitize", metavar="TEST", help="a built cuda_shim test program")
    options = parser.parse_args()
    if options.sanitize:
        sys.exit(sanitize(options.sanitize, options.device))
    if not options.program.exists():
        sys.exit(f"{options.program} is not there: build it first (see --help)")
    rows = options.rows or ([3000] if options.tiny else [10_000_000, 100_000_000])
    sizes = [*(["tiny"] if options.tiny else []), *map(str, rows)]
    count(options.program, sizes)
    if options.count:
        return
    header, lines = ours(options.program, options.device, sizes)
    torch_times, rate = theirs(rows)
    faiss_times = faiss_flat(rows)
    cuvs_times = cuvs_flat(rows)
    copy = lines["copy"]["bytes"] / lines["copy"]["p50"] / 1e9
    link = lines["link"]["bytes"] / lines["link"]["p50"] / 1e9
    matrix = f"{rate / 1e12:.0f} T operations/s" if rate else "not measured (no torch)"
    print(f"{header['device']}; library for products: {header['products']}")
    print(f"copies {copy:.0f} GB/s, link {link:.1f} GB/s, f16 matrix rate {matrix}\n")
    print("| what | ms, p50 | p99 | floor, ms | bound by | floor / time | torch, ms | torch / ours | faiss, ms | cuVS, ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case, line in lines.items():
        if case in ("copy", "link"):
            continue
        floor, bound = floor_of(case, line, lines, rate)
        # Torch's encoder has one row for all of ours.
        base = case.rsplit(", ", 1)[0] if case.endswith(ARITHMETICS) else case
        torch_time, faiss_time = torch_times.get(base), faiss_times.get(case)
        cuvs_time = cuvs_times.get(case)
        cells = [
            case,
            f"{line['p50'] * 1e3:.3f}",
            f"{line['p99'] * 1e3:.3f}",
            f"{floor * 1e3:.3f}",
            bound,
            f"{floor / line['p50']:.0%}",
            f"{torch_time * 1e3:.3f}" if torch_time else "",
            f"{torch_time / line['p50']:.2f}" if torch_time else "",
            f"{faiss_time * 1e3:.3f}" if faiss_time else "",
            f"{cuvs_time * 1e3:.3f}" if cuvs_time else "",
        ]
        print("| " + " | ".join(cells) + " |")
    print()
    goals(lines, torch_times, rate, rows)


if __name__ == "__main__":
    main()
