"""Tiny random BERT checkpoints with what transformers makes of them: the fixtures of `tests/bert.rs`.

    pip install torch transformers safetensors tokenizers
    python make.py

Weights are drawn from a seed; nothing is downloaded.
"""

import json
import pathlib

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

HERE = pathlib.Path(__file__).parent
PIECES = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    + [chr(c) for c in range(ord("a"), ord("z") + 1)]
    + ["##" + chr(c) for c in range(ord("a"), ord("z") + 1)]
    + list("0123456789.,!?'-")
    + ["##" + d for d in "0123456789"]
    + ["the", "of", "was", "light", "house", "##house", "built", "in", "who", "bread", "yeast",
       "##s", "##ed", "##ing", "tower", "harbour", "query", "passage", ":", "cafe"]
)
PIECES = list(dict.fromkeys(PIECES))
TEXTS = [
    "The lighthouse was built in 1888.",
    "Who built the towers of the harbour?",
    "Bread!",
    "yeast, caf\u00e9s - and houses \u4e2d",
    "the house of " * 20,
    "",
]


def tokenizer():
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    tok = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tok, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=32,
    )


def config(**more):
    return BertConfig(
        vocab_size=len(PIECES), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=40, max_position_embeddings=32, initializer_range=0.4, **more,
    )


def randomise(model):
    """Biases and norms are drawn as well, so that none of them can be forgotten unnoticed."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith("bias"):
                weights.normal_(0.0, 0.1)
            elif "LayerNorm" in name:
                weights.normal_(1.0, 0.1)
    return model.eval()


def save(name, model, expected, extra=()):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "tokenizer.json").write_text(tok.backend_tokenizer.to_str())
    for path, content in extra:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content))
    (folder / "expected.json").write_text(json.dumps(expected))


@torch.no_grad()
def main():
    torch.manual_seed(7)
    expected = {}
    model = randomise(BertModel(config(), add_pooling_layer=False))
    for role, prefix in [("query", "query: "), ("passage", "passage: ")]:
        batch = [tok(prefix + t, truncation=True, return_tensors="pt") for t in TEXTS]
        states = [model(**b).last_hidden_state[0] for b in batch]
        for pooling, pool in [("cls", lambda s: s[0]), ("mean", lambda s: s.mean(0)),
                              ("max", lambda s: s.max(0).values)]:
            rows = [torch.nn.functional.normalize(pool(s), dim=0) for s in states]
            expected[f"{role}.{pooling}"] = [r.tolist() for r in rows]
    save("encoder", model, {"texts": TEXTS, "vectors": expected}, [
        ("config_sentence_transformers.json",
         {"prompts": {"query": "query: ", "passage": "passage: "}}),
        ("1_Pooling/config.json",
         {"word_embedding_dimension": 24, "pooling_mode_cls_token": True,
          "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}),
    ])

    torch.manual_seed(8)
    model = randomise(BertForSequenceClassification(config(num_labels=1)))
    scores = []
    for query in TEXTS[:2]:
        pairs = [tok([query], [t], truncation=True, return_token_type_ids=True, return_tensors="pt")
                 for t in TEXTS]
        scores.append([model(**p).logits[0, 0].item() for p in pairs])
    save("cross", model, {"texts": TEXTS, "queries": TEXTS[:2], "scores": scores})

    torch.manual_seed(9)
    model = randomise(BertForMaskedLM(config()))
    rows = []
    for text in TEXTS:
        b = tok(text, truncation=True, return_tensors="pt")
        weights = torch.log1p(model(**b).logits[0].relu()).max(0).values
        rows.append(weights.tolist())
    save("splade", model, {"texts": TEXTS, "weights": rows})


tok = tokenizer()
main()
