#!/usr/bin/env python3
"""Are encoders of other families, as users bring them, ahead of torch, and are their vectors the same?

Models of published sizes with random weights: BERT (base), MPNet, ModernBERT (base), GTE 1.5 (base), Nomic's,
DeBERTa (base). Both engines run in f32 in processes of their own on all cores and take turns call by call;
figures are medians. Ours includes tokenisation; torch gets ready-made token ids. Vectors are compared over
14 pieces of the project's documents of 3 to 700 words, cut at 512 tokens: the least cosine.

Sets up its own environment, with torch (several gigabytes), and fetches a tokenizer:
python3 benches/families_side_by_side.py [--rounds 5] [--batches 1 8] [--tokens 128 512]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import environment

environment.enter(["torch", "transformers", "numpy"], ["torch", "transformers", "numpy"])
import numpy as np

FAMILIES = ["Bert", "MPNet", "ModernBert", "Gte", "NomicBert", "DebertaV2"]


def make(family, folder):
    """A model of a published size, random but for its tokenizer."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(7)
    sizes = {"vocab_size": 30528, "pad_token_id": 0, "num_hidden_layers": 22 if family == "ModernBert" else 12}
    if family == "MPNet":
        sizes |= {"pad_token_id": 1, "max_position_embeddings": 514}
    if family == "ModernBert":
        sizes |= {"cls_token_id": 101, "bos_token_id": 101, "sep_token_id": 102, "eos_token_id": 102}
    if family == "DebertaV2":
        sizes |= {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072,
                  "relative_attention": True, "share_att_key": True, "position_biased_input": False,
                  "pos_att_type": "p2c|c2p", "norm_rel_ebd": "layer_norm", "position_buckets": 256}
    config = getattr(transformers, f"{family}Config")(**sizes)
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    tokenizer = (environment.published_weights() / "tokenizer.json").read_text()
    if family == "MPNet":
        tokenizer = tokenizer.replace("[CLS]", "<s>").replace("[SEP]", "</s>")
    (Path(folder) / "tokenizer.json").write_text(tokenizer)
    (Path(folder) / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 512}))


def serve(folder):
    """Torch's process: answers a batch size and a number of tokens with the seconds that a call took, and
    lines of ids with their vectors."""
    import torch
    import transformers

    torch.set_num_threads(os.cpu_count())
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ids = torch.randint(1000, 30000, (64, 512))

    @torch.inference_mode()
    def run(ids):
        states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        return torch.nn.functional.normalize(states.mean(1), dim=1)

    print("ready", flush=True)
    for line in sys.stdin:
        first, *rest = line.split(maxsplit=1)
        if first == "vector":
            print(json.dumps(run(torch.tensor([json.loads(rest[0])]))[0].tolist()), flush=True)
            continue
        batch = ids[: int(first), : int(rest[0])]
        begin = time.perf_counter()
        run(batch)
        print(time.perf_counter() - begin, flush=True)


def least_cosine(program, folder, torch_engine, texts):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.enable_truncation(512)
    tokenizer.no_padding()
    lines = "".join(json.dumps(text) + "\n" for text in texts).encode()
    done = subprocess.run([program, "vectors", folder], input=lines, capture_output=True, check=True)
    ours = np.frombuffer(done.stdout, "<f4").reshape(len(texts), -1)
    cosines = []
    for text, vector in zip(texts, ours):
        ids = json.dumps(tokenizer.encode(text).ids)
        theirs = np.array(json.loads(" ".join(torch_engine.ask("vector", ids))))
        cosines.append(float(vector @ theirs))
    return min(cosines)


def texts():
    """Sentences of the project's own documents, a few words to several hundred long."""
    words = " ".join(path.read_text() for path in sorted((environment.ROOT / "docs").glob("*.md"))).split()
    lengths = [3, 40, 90, 130, 260, 400, 700]
    return [" ".join(words[start : start + n]) for start in (0, 5000) for n in lengths]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="each at most 64")
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512], help="each at most 512")
    parser.add_argument("--families", nargs="+", default=FAMILIES, choices=FAMILIES)
    parser.add_argument("--program", help="a bench program built before")
    args = parser.parse_args()
    program = args.program or environment.program("encode")
    shapes = [(batch, tokens) for tokens in args.tokens for batch in args.batches]
    columns = "".join(f" {batch} x {tokens} |" for batch, tokens in shapes)
    print(f"texts/s (of torch's)\n\n| family |{columns} least cosine | peak MB (torch's) |")
    print("|---|" + "---|" * (len(shapes) + 2))
    for family in args.families:
        with tempfile.TemporaryDirectory() as folder:
            # In a process of its own, whose memory is given back.
            subprocess.run([sys.executable, __file__, "make", family, folder], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ours = environment.Served([program, "serve", folder])
            theirs = environment.Served([sys.executable, __file__, "serve", folder])
            theirs.line()
            cells = []
            for batch, tokens in shapes:
                times = {ours: [], theirs: []}
                for turn in range(args.rounds + 1):
                    for engine, seconds in times.items():
                        took = float(engine.ask(batch, tokens)[0])
                        if turn:  # the first turn warms up
                            seconds.append(took)
                mine, other = (statistics.median(seconds) for seconds in times.values())
                cells.append(f"{batch / mine:.1f} ({other / mine:.2f})")
            peaks = f"{ours.peak() // 1024} ({theirs.peak() // 1024})"
            cosine = least_cosine(program, folder, theirs, texts())
            print(f"| {family} | {' | '.join(cells)} | {cosine:.7f} | {peaks} |", flush=True)
            for engine in (ours, theirs):
                engine.process.stdin.close()
                engine.process.wait()


warnings.filterwarnings("ignore")
if sys.argv[1:2] == ["make"]:
    make(*sys.argv[2:4])
elif sys.argv[1:2] == ["serve"]:
    serve(sys.argv[2])
else:
    main()
