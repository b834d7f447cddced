"""Tiny random BERT checkpoints with what transformers makes of them: the fixtures of `tests/bert.rs`
and `tests/late.rs`.

    pip install torch transformers safetensors tokenizers
    python make.py

Weights are drawn from a seed; nothing is downloaded.
"""

import json
import pathlib
import string

import torch
from safetensors.torch import save_file
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


def tokenizer(pieces=PIECES):
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
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


def config(vocab_size=len(PIECES), **more):
    return BertConfig(
        vocab_size=vocab_size, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
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
    states = {role: [token_states(model, role, t) for t in texts]
              for role, texts in [("query", TEXTS[:3]), ("passage", TEXTS[:5])]}
    (HERE / "encoder_tokens.json").write_text(json.dumps(states))

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

    late()


def numbers(rows):
    return [[round(x, 7) for x in row] for row in rows.tolist()]


def token_states(model, role, text):
    """States of a text's own pieces: no special tokens, nothing of the prefix."""
    prefix = {"query": "query: ", "passage": "passage: "}[role]
    before = 1 + len(tok(prefix, add_special_tokens=False)["input_ids"])
    states = model(**tok(prefix + text, truncation=True, return_tensors="pt")).last_hidden_state
    return numbers(torch.nn.functional.normalize(states[0, before:-1], dim=1))


# ColBERT: the markers and all of ASCII's punctuation are pieces.
LATE_PIECES = list(dict.fromkeys(PIECES + list(string.punctuation))) + ["[unused0]", "[unused1]"]
LATE = {"query_maxlen": 12, "doc_maxlen": 20, "dim": 8, "mask_punctuation": True,
        "query_token_id": "[unused0]", "doc_token_id": "[unused1]", "interaction": "colbert",
        "similarity": "cosine", "attend_to_mask_tokens": False}


@torch.no_grad()
def late():
    """The layout and the arithmetic of ColBERT: Khattab and Zaharia 2020, section 3.2."""
    torch.manual_seed(10)
    late_tok = tokenizer(LATE_PIECES)
    model = randomise(BertModel(config(len(LATE_PIECES)), add_pooling_layer=False))
    linear = torch.randn(LATE["dim"], 24) * 0.4
    ids_of = late_tok.convert_tokens_to_ids
    punctuation = set(ids_of(list(string.punctuation)))

    def project(ids, seen):
        mask = [int(i < seen) for i in range(len(ids))]
        out = model(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([mask]))
        return torch.nn.functional.normalize(out.last_hidden_state[0] @ linear.T, dim=1)

    def framed(text, marker, longest):
        pieces = late_tok(text, add_special_tokens=False)["input_ids"]
        return [ids_of("[CLS]"), ids_of(marker)] + pieces[:longest - 3] + [ids_of("[SEP]")]

    def query(text, attending=False):
        ids = framed(text, "[unused0]", LATE["query_maxlen"])
        filled = ids + [ids_of("[MASK]")] * (LATE["query_maxlen"] - len(ids))
        return project(filled, len(filled) if attending else len(ids))

    def short(text):
        ids = framed(text, "[unused0]", LATE["query_maxlen"])
        return project(ids, len(ids))

    def passage(text, with_punctuation=False):
        ids = framed(text, "[unused1]", LATE["doc_maxlen"])
        rows = project(ids, len(ids))
        kept = [i for i, piece in enumerate(ids) if with_punctuation or piece not in punctuation]
        return rows[kept]

    texts = [t for t in TEXTS if t]
    scores = [[(query(q) @ passage(t).T).max(1).values.sum().item() for t in texts] for q in texts]
    folder = HERE / "late"
    folder.mkdir(exist_ok=True)
    weights = {f"bert.{name}": x.contiguous() for name, x in model.state_dict().items()}
    save_file(weights | {"linear.weight": linear}, folder / "model.safetensors", {"format": "pt"})
    settings = model.config.to_dict() | {"architectures": ["HF_ColBERT"]}
    (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (folder / "artifact.metadata").write_text(json.dumps(LATE, indent=2) + "\n")
    (folder / "tokenizer.json").write_text(late_tok.backend_tokenizer.to_str())
    (folder / "expected.json").write_text(json.dumps({
        "texts": texts,
        "query": [numbers(query(t)) for t in texts],
        "passage": [numbers(passage(t)) for t in texts],
        "attending": [numbers(query(t, attending=True)) for t in texts[:3]],
        "short": [numbers(short(t)) for t in texts[:3]],
        "punctuated": [numbers(passage(t, with_punctuation=True)) for t in texts[:3]],
        "scores": scores,
    }))


tok = tokenizer()
main()
