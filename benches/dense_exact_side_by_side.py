#!/usr/bin/env python3
"""Is the exact dense scan ahead of faiss-cpu's flat indexes, and how near to memory bandwidth?

Rows: synthetic, clustered (sqrt(n) centres, noise of twice a centre's length over all dimensions),
of length 1; queries are drawn like rows. Formats: f32, int8 (faiss: scalar quantiser, 8 bits), here
also f16, int8 with 4 and binary codes with 16 times the candidates scored again in f32. Both sides
search the top 10 with two threads. Rounds are interleaved; figures are medians, ratios are of
medians. Recall is against the exact f32 result. Bandwidth: as many bytes as the int8 codes have,
read by the same threads and summed as 32-bit words.

Sets up its own environment: python3 benches/dense_exact_side_by_side.py [--rows 10000 100000]
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import environment

FORMATS = ("f32", "f16", "i8", "i8x4", "bits")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--program", type=Path, help="the built scan bench; built when not given")
    options = parser.parse_args()
    environment.enter(["faiss-cpu", "numpy"], ["faiss", "numpy"])
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(2)
    os.environ["RAYON_NUM_THREADS"] = "2"
    program = options.program or environment.program("scan")
    print(f"{options.queries} queries, top 10, {options.dim} dimensions, faiss {faiss.__version__}, "
          f"load average {os.getloadavg()[0]:.0f}\n")
    print("| rows | format | batch | indago, ms a query | faiss, ms a query | faiss / indago | recall@10 indago; faiss | of bandwidth |")
    print("|---|---|---|---|---|---|---|---|")
    built = []
    for n in options.rows:
        rng = np.random.default_rng(7)
        dim = options.dim
        centres = rng.standard_normal((max(1, int(n**0.5)), dim), dtype=np.float32)

        def draw(count):
            x = centres[rng.integers(len(centres), size=count)]
            x = x + 2 * rng.standard_normal((count, dim), dtype=np.float32) * 0.5
            return x / np.linalg.norm(x, axis=1, keepdims=True)

        rows, queries = draw(n), draw(options.queries)
        with tempfile.NamedTemporaryFile(suffix=".f32") as file:
            rows.tofile(file)
            queries.tofile(file)
            file.flush()
            ours = subprocess.Popen(
                [program, "serve", file.name, str(dim), str(options.queries)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            ready = ours.stdout.readline().split()
            assert ready[0] == "ready"

        def ask(command):
            ours.stdin.write(command + "\n")
            ours.stdin.flush()
            return ours.stdout.readline()

        with environment.Made() as plain:
            flat = faiss.IndexFlatIP(dim)
            flat.add(rows)
        with environment.Made() as coded:
            quantised = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
            quantised.train(rows[:100_000])
            quantised.add(rows)
        for form, theirs, each in (("f32", plain, 4 * dim), ("i8", coded, dim)):
            ours_each = each if form == "f32" else each + 4
            built.append(f"| {n} | {form} | {ours_each}; {each} | {float(ready[1]):.2f}; {theirs.seconds:.2f} "
                         f"| {int(ready[2]) / 1024:.0f}; {theirs.peak / 1024:.0f} |")
        peers = {"f32": flat, "i8": quantised}
        exact = flat.search(queries, 10)[1]

        def recall(found):
            return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found)])

        def our_recall(form):
            first = ask(f"ids {form} 10")
            lines = [first] + [ours.stdout.readline() for _ in range(options.queries - 1)]
            return recall([[int(i) for i in line.split()] for line in lines])

        def peer_time(index, batch):
            start = time.perf_counter()
            for i in range(0, len(queries), batch):
                index.search(queries[i : i + batch], 10)
            return time.perf_counter() - start

        for batch in (1, options.queries):
            times = {}
            for _ in range(options.repeats):
                times.setdefault("sum", []).append(float(ask("sum 1")))
                for form in FORMATS:
                    times.setdefault(form, []).append(float(ask(f"{form} {batch}")))
                    if form in peers:
                        times.setdefault("faiss " + form, []).append(peer_time(peers[form], batch))
            middle = {name: statistics.median(values) / options.queries for name, values in times.items()}
            for form in FORMATS:
                peer = "i8" if form == "i8x4" else form
                theirs = middle.get("faiss " + peer)
                cells = [f"{n}", form, f"{batch}", f"{middle[form] * 1e3:.3f}"]
                cells.append(f"{theirs * 1e3:.3f}" if theirs else "")
                cells.append(f"{theirs / middle[form]:.2f}" if theirs else "")
                beside = f"; {recall(peers[peer].search(queries, 10)[1].tolist()):.3f}" if theirs else ""
                cells.append(f"{our_recall(form):.3f}{beside}")
                bandwidth = form in ("i8", "i8x4") and batch == 1
                cells.append(f"{middle['sum'] / middle[form] * 100:.0f}%" if bandwidth else "")
                print("| " + " | ".join(cells) + " |", flush=True)
        ours.stdin.close()
        ours.wait()
    print("\n| rows | format | bytes a row, indago; faiss | build s, indago (all formats at once); faiss "
          "| peak MB on top of the rows given, likewise |")
    print("|---|---|---|---|---|")
    print("\n".join(built))


if __name__ == "__main__":
    main()
