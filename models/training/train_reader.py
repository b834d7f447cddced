#!/usr/bin/env python3
"""Trains the extractive reader: MiniLM's layers over a question and a passage, and for each token how probable
it is that the answer starts, or ends, there.

    train_reader.py MODEL_DIR OUT_DIR --made READING.jsonl --written WRITTEN.jsonl --squad FILE.json.gz... [--steps N]

MODEL_DIR is the folder with the published weights of all-MiniLM-L6-v2. First on exercises made from text
(`make_reading.py`), then on questions that a language model wrote (`write_questions.py`, `make_unanswerable.py`),
then on reading data in SQuAD's form. Word embeddings stay as they are, so that a reader
shares them with the encoder. Half of the paragraphs of the reading data, by the hash of their text, is held out:
the best span there is scored against the gold answers (EM, F1), and "not here" against the unanswerable.
"""

import argparse
import gzip
import hashlib
import json
import math
import random
import re
import shutil
import string
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

LENGTH, ASKED, WIDTH, HEADS, LAYERS = 256, 48, 384, 12, 6
LONGEST = 24
# Texts of more characters are read, but not checked: there are few of them, with many windows each.
WHOLE_PAPER = 6000


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.out_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.down_norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x, mask, dropout):
        heads = lambda y: y.view(*y.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2)
        seen = F.scaled_dot_product_attention(heads(self.query(x)), heads(self.key(x)), heads(self.value(x)), mask)
        seen = self.out(seen.transpose(1, 2).reshape(x.shape))
        x = self.out_norm(x + F.dropout(seen, dropout, self.training))
        return self.down_norm(x + F.dropout(self.down(F.gelu(self.up(x))), dropout, self.training))


class Reader(nn.Module):
    """Logits of the answer's start and end for each token; those of the first token say "not here"."""

    def __init__(self, folder=None):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(30522, WIDTH), nn.Embedding(512, WIDTH), nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.spans = nn.Linear(WIDTH, 2)
        nn.init.normal_(self.spans.weight, std=0.02)
        if folder is not None:
            self.take(load_file(folder / "model.safetensors"))
        for fixed in (self.words, self.positions, self.types):
            fixed.weight.requires_grad_(False)

    def published_names(self):
        """What published models call each parameter."""
        names = {"words.weight": "embeddings.word_embeddings.weight",
                 "positions.weight": "embeddings.position_embeddings.weight",
                 "types.weight": "embeddings.token_type_embeddings.weight",
                 "norm": "embeddings.LayerNorm"}
        for i in range(LAYERS):
            at = f"encoder.layer.{i}"
            for mine, theirs in {"query": "attention.self.query", "key": "attention.self.key",
                                 "value": "attention.self.value", "out": "attention.output.dense",
                                 "out_norm": "attention.output.LayerNorm", "up": "intermediate.dense",
                                 "down": "output.dense", "down_norm": "output.LayerNorm"}.items():
                names[f"layers.{i}.{mine}"] = f"{at}.{theirs}"
        def published(name):
            stem, _, leaf = name.rpartition(".")
            return names.get(name) or f"{names.get(stem, stem)}.{leaf}"

        return {name: published(name).replace("spans.", "qa_outputs.") for name in self.state_dict()}

    def take(self, published):
        published = {name.removeprefix("bert."): value for name, value in published.items()}
        known = {mine: published[theirs] for mine, theirs in self.published_names().items() if theirs in published}
        missing = self.load_state_dict(known, strict=False).missing_keys
        assert missing in ([], ["spans.weight", "spans.bias"]), missing

    def save(self, model, folder):
        """As a `BertForQuestionAnswering` in `folder`, beside the settings of `model`."""
        state, names = self.state_dict(), self.published_names()
        state = {names[name]: value for name, value in state.items()}
        save_file({name if name.startswith("qa_") else f"bert.{name}": value for name, value in state.items()},
                  folder / "model.safetensors")
        for name in ("config.json", "vocab.txt", "tokenizer.json"):
            shutil.copy(model / name, folder)

    def forward(self, ids, types, lengths, dropout=0.1):
        width = ids.shape[1]
        there = torch.arange(width)[None] < lengths[:, None]
        # One type for all, as in the encoder that the word vectors are shared with: the mark between tells
        # question and passage apart.
        x = self.words(ids) + self.positions.weight[:width][None] + self.types.weight[0]
        x = F.dropout(self.norm(x), dropout, self.training)
        mask = there[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask, dropout)
        logits = self.spans(x).float()
        # The question's tokens and the padding are no answers.
        readable = (types == 1) & there
        readable[:, 0] = True
        return logits.masked_fill(~readable[..., None], -1e4)


class Exercises:
    """Tokens and gold spans of exercises."""

    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def of(self, question, title, text, starts, ends):
        """Windows of one exercise: ids, types, gold starts, gold ends, offsets in `text`."""
        asked = self.tokenizer.encode(question, add_special_tokens=False).ids[:ASKED]
        head = self.tokenizer.encode(title + ".", add_special_tokens=False).ids[:24] if title else []
        body = self.tokenizer.encode(text, add_special_tokens=False)
        room = LENGTH - len(asked) - len(head) - 3
        step = max(room - 64, 32)
        windows = []
        for first in range(0, max(len(body.ids) - 64, 1), step):
            ids, offsets = body.ids[first:first + room], body.offsets[first:first + room]
            before = 2 + len(asked) + len(head)
            golds = []
            for start, end in zip(starts, ends):
                inside = [i for i, (a, b) in enumerate(offsets) if a < end and start < b]
                if inside and offsets[inside[0]][0] <= start and end <= offsets[inside[-1]][1]:
                    golds.append((before + inside[0], before + inside[-1]))
            whole = [101, *asked, 102, *head, *ids, 102]
            types = [0] * (2 + len(asked)) + [1] * (len(head) + len(ids) + 1)
            windows.append((whole, types, golds or [(0, 0)], [None] * before + offsets + [None]))
        return windows


def batch_of(rows):
    width = max(len(row[0]) for row in rows)
    pad = lambda values: values + [0] * (width - len(values))
    ids, types = (torch.tensor([pad(row[i]) for row in rows]) for i in (0, 1))
    lengths = torch.tensor([len(row[0]) for row in rows])
    gold = torch.zeros(len(rows), width, 2, dtype=torch.bool)
    for i, row in enumerate(rows):
        for start, end in row[2]:
            gold[i, start, 0] = gold[i, end, 1] = True
    return ids, types, lengths, gold


def loss_of(logits, gold):
    """Minus the log probability that a start, and an end, is one of the gold ones."""
    every = torch.logsumexp(logits, 1)
    right = torch.logsumexp(logits.masked_fill(~gold, -1e9), 1)
    return (every - right).mean()


def batches(rows, size, rng):
    """Of similar lengths, in random order, without an end."""
    while True:
        order = list(range(len(rows)))
        rng.shuffle(order)
        for at in range(0, len(order), size * 50):
            block = sorted(order[at:at + size * 50], key=lambda i: len(rows[i][0]))
            groups = [block[i:i + size] for i in range(0, len(block), size)]
            rng.shuffle(groups)
            for group in groups:
                yield [rows[i] for i in group]


def held_out(text):
    """Whether a paragraph is kept for checks: the same in all files (`retriever/training/squad_to_beir.py`)."""
    return hashlib.blake2b(" ".join(text.split()).encode()).digest()[0] % 2 == 1


def exercises_of(exercises, path):
    """A window of each exercise of a file: one that has the answer, or the first."""
    rows = []
    for line in open(path, encoding="utf-8"):
        one = json.loads(line)
        windows = exercises.of(one["question"], one["title"], one["text"], one["starts"], one["ends"])
        rows.append(next((w for w in windows if w[2] != [(0, 0)]), windows[0]))
    return rows


def squad(exercises, paths):
    train, check = [], []
    articles = [article for path in paths for article in json.load(gzip.open(path))["data"]]
    for paragraph in [paragraph for article in articles for paragraph in article["paragraphs"]]:
        for qa in paragraph["qas"]:
            text = paragraph["context"]
            answers = [] if qa.get("is_impossible") else qa["answers"]
            if any(len(a["text"]) > 120 for a in answers):
                continue
            starts = [a["answer_start"] for a in answers]
            ends = [a["answer_start"] + len(a["text"]) for a in answers]
            windows = exercises.of(qa["question"], "", text, starts, ends)
            if held_out(text) and len(text) < WHOLE_PAPER:
                check.append((text, [a["text"] for a in answers], windows))
            else:
                answered = [w for w in windows if w[2] != [(0, 0)]]
                train += answered + ([w for w in windows if w[2] == [(0, 0)]][:1])
    return train, check


def normal(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(said, gold):
    said, gold = normal(said), normal(gold)
    same = sum(min(said.count(w), gold.count(w)) for w in set(said))
    return 2 * same / (len(said) + len(gold)) if same else float(said == gold)


@torch.no_grad()
def best_spans(model, windows):
    """For each exercise's windows: the best span's score over "not here", and its place in the text."""
    ids, types, lengths, _ = batch_of(windows)
    logits = model(ids, types, lengths)
    best = (-math.inf, None)
    for row, window in zip(logits, windows):
        start, end = row[:, 0], row[:, 1]
        sums = start[:, None] + end[None, :]
        n = sums.shape[0]
        allowed = torch.ones(n, n).triu().tril(LONGEST - 1).bool()
        texts = torch.tensor([o is not None for o in window[3]] + [False] * (n - len(window[3])))
        allowed &= texts[:, None] & texts[None, :]
        value, place = sums.masked_fill(~allowed, -math.inf).flatten().max(0)
        value = (value - start[0] - end[0]).item()
        if value > best[0]:
            a, b = divmod(place.item(), n)
            best = (value, (window[3][a][0], window[3][b][1]))
    return best


def check(model, exercises):
    model.eval()
    exact = overlap = answerable = 0
    scores = []
    for text, answers, windows in exercises:
        score, place = best_spans(model, windows)
        scores.append((score, bool(answers)))
        if answers:
            answerable += 1
            said = text[slice(*place)]
            exact += max(normal(said) == normal(a) for a in answers)
            overlap += max(f1(said, a) for a in answers)
    positive = [s for s, there in scores if there]
    negative = [s for s, there in scores if not there]
    above = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    model.train()
    auc = above / (len(positive) * len(negative)) if negative else float("nan")
    return f"{answerable} answerable: EM {100 * exact / answerable:.1f}, F1 {100 * overlap / answerable:.1f}; above {len(negative)} unanswerable in {100 * auc:.1f}%"


def train(model, rows, steps, size, rate, rng, named):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    warm = max(steps // 10, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm))))
    every = min(100, max(steps // 4, 1))
    began, total = time.monotonic(), 0.0
    source = batches(rows, size, rng)
    for step in range(steps):
        ids, types, lengths, gold = batch_of(next(source))
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids, types, lengths)
        loss = loss_of(logits, gold)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if (step + 1) % every == 0:
            seconds = time.monotonic() - began
            print(f"{named} {step + 1}/{steps} loss {total / every:.3f} {size * (step + 1) / seconds:.1f} rows/s", flush=True)
            total = 0.0


def main():
    options = argparse.ArgumentParser()
    options.add_argument("model", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--made", type=Path)
    options.add_argument("--written", type=Path)
    options.add_argument("--passes", type=float, default=2, help="over the written questions")
    options.add_argument("--squad", type=Path, nargs="+", default=[])
    options.add_argument("--steps", type=int, default=2000)
    options.add_argument("--epochs", type=float, default=3)
    options.add_argument("--size", type=int, default=32)
    options.add_argument("--rate", type=float, default=2e-4)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--start", type=Path, help="a folder of this script to go on from")
    args = options.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng = random.Random(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    exercises = Exercises(args.model)
    model = Reader(args.model)
    if args.start:
        model.take(load_file(args.start / "model.safetensors"))
    model.train()
    answered, held = squad(exercises, args.squad)
    print(f"{len(answered)} windows of reading data, {len(held)} exercises held out", flush=True)
    if args.made and args.steps:
        rows = exercises_of(exercises, args.made)
        train(model, rows, args.steps, args.size, args.rate, rng, "made")
        model.save(args.model, args.out)
    if args.written:
        rows = exercises_of(exercises, args.written)
        print(f"{len(rows)} exercises of written questions", flush=True)
        train(model, rows, int(args.passes * len(rows) / args.size), args.size, args.rate / 2, rng, "written")
        model.save(args.model, args.out)
    if held:
        print("before reading data:", check(model, held), flush=True)
    if answered and args.epochs:
        steps = int(args.epochs * len(answered) / args.size)
        train(model, answered, steps, args.size, args.rate / 2, rng, "read")
        model.save(args.model, args.out)
        print("after it:", check(model, held), flush=True)


if __name__ == "__main__":
    main()
