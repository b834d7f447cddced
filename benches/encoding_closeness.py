#!/usr/bin/env python3
"""How near are our int8 vectors to those of the published model in torch, over real texts?

DATA holds folders with `corpus.jsonl.gz` and `queries.jsonl`. From each, passages (300, or as many as
`--texts` says) and a third as many questions are taken at even distances. Prints the least, the first
percentile and the mean of the cosines. The embedded model is measured, or a model file or folder of the
same weights (`--model`), or another published model as one that was added in 8 bits (`--weights`).

Sets up its own environment:
python3 benches/encoding_closeness.py --data DATA [--texts 60] [--weights all-mpnet-base-v2]
"""

import argparse
import gzip
import json
import subprocess
import tempfile
from pathlib import Path

import environment

environment.enter(["torch", "transformers", "numpy"], ["torch", "transformers", "numpy"])
import numpy as np
import torch
import transformers


def spread(rows, n):
    return rows[:: max(1, len(rows) // n)][:n]


def texts_of(folder, n):
    with gzip.open(folder / "corpus.jsonl.gz", "rt") as lines:
        rows = spread(lines.readlines(), n)
    rows = [json.loads(row) for row in rows]
    texts = [f"{row.get('title') or ''}\n\n{row['text']}".strip() for row in rows]
    with open(folder / "queries.jsonl") as lines:
        texts += [json.loads(row)["text"] for row in spread(lines.readlines(), n // 3)]
    return [text for text in texts if text.strip()]


@torch.inference_mode()
def published(folder, texts):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), 32):
        at = order[start : start + 32]
        batch = tokenizer([texts[i] for i in at], padding=True, truncation=True, max_length=longest,
                          return_tensors="pt")
        states = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        out[at] = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
    return out


def ours(program, texts, *model):
    lines = "".join(json.dumps(text) + "\n" for text in texts).encode()
    done = subprocess.run([program, "vectors", *model], input=lines, capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4").reshape(len(texts), -1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--model", nargs="?")
    parser.add_argument("--weights", default=environment.MINILM, choices=environment.WEIGHTS)
    parser.add_argument("--program", help="a bench program built before")
    args = parser.parse_args()
    program = args.program or environment.program("encode")
    folder = environment.published_weights(args.weights)
    scratch = tempfile.TemporaryDirectory()
    model = [args.model] if args.model else []
    if args.weights != environment.MINILM:
        model = [environment.in_int8(folder, scratch.name)]
    transformers.utils.logging.disable_progress_bar()
    every = []
    print(f"{'set':<24} {'texts':>6} {'least':>9} {'1%':>9} {'mean':>9}")
    for folder_of_set in sorted(Path(args.data).iterdir()):
        if not (folder_of_set / "queries.jsonl").exists():
            continue
        texts = texts_of(folder_of_set, args.texts)
        cosines = (published(folder, texts) * ours(program, texts, *model)).sum(1)
        every.append(cosines)
        show(folder_of_set.name, cosines)
    show("all", np.concatenate(every))


def show(name, cosines):
    least, low, mean = cosines.min(), np.quantile(cosines, 0.01), cosines.mean()
    print(f"{name:<24} {len(cosines):>6} {least:9.5f} {low:9.5f} {mean:9.5f}", flush=True)


main()
