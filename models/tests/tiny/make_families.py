"""Tiny random checkpoints of BERT's relatives with what transformers makes of them: the fixtures of
`tests/families.rs`.

    pip install torch transformers safetensors tokenizers
    python make_families.py

Weights are drawn from a seed; tokenizers are made from the texts below, where ties are broken anew each
time, so that pieces differ from run to run; nothing is downloaded.
"""

import json
import pathlib

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaModel,
)

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "The Lighthouse was built in 1888.",
    "Who built the towers of the Harbour, and when?",
    "Bread!",
    "yeast, caf\u00e9s - and houses \u4e2d\u6587 \u0394elta",
    "the house of the old harbour " * 12,
    "Der Leuchtturm steht  auf\tRügen\nseit 1827",
    "",
]
SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
         "initializer_range": 0.4}
DISTIL = {"dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 40, "initializer_range": 0.4,
          "max_position_embeddings": 32}
SMALL = {"vocab_size": 200, "show_progress": False}
BERTS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def framed(tok, begin, end, between):
    """`begin A end B end`, as many ends between two texts as the family has."""
    special = [(t, tok.token_to_id(t)) for t in (begin, end)]
    middle = " ".join([end] * between)
    tok.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", pair=f"{begin} $A {middle} $B:1 {end}:1", special_tokens=special)
    named = (dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), FAIRSEQ), cls_token="<s>",
                  sep_token="</s>")
             if begin == "<s>" else
             dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), BERTS)))
    return PreTrainedTokenizerFast(tokenizer_object=tok, model_max_length=32, **named)


def mpnet_pieces():
    """Word pieces in the frame of RoBERTa, with BERT's special tokens left over among them."""
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = FAIRSEQ[:-1] + BERTS + FAIRSEQ[-1:]
    tok.train_from_iterator(TEXTS[:4], trainers.WordPieceTrainer(special_tokens=special, **SMALL))
    return framed(tok, "<s>", "</s>", 2)


def word_pieces(lowercase):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.train_from_iterator(TEXTS[:4], trainers.WordPieceTrainer(special_tokens=BERTS, **SMALL))
    return framed(tok, "[CLS]", "[SEP]", 1)


def byte_pairs():
    tok = Tokenizer(models.BPE(unk_token="<unk>"))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    settings = SMALL | {"vocab_size": 320, "initial_alphabet": alphabet}
    tok.train_from_iterator(TEXTS, trainers.BpeTrainer(special_tokens=FAIRSEQ, **settings))
    return framed(tok, "<s>", "</s>", 2)


def unigrams(special=FAIRSEQ, unknown="<unk>", frame=("<s>", "</s>", 2)):
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(special_tokens=special, unk_token=unknown, **SMALL)
    tok.train_from_iterator(TEXTS[:4], trainer)
    return framed(tok, *frame)


def randomise(model):
    """Biases and norms are drawn as well, so that none of them can be forgotten unnoticed."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith("bias"):
                weights.normal_(0.0, 0.1)
            elif "norm" in name.lower():
                weights.normal_(1.0, 0.1)
    return model.eval()


def save(name, model, tok, expected, extra=()):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "tokenizer.json").write_text(tok.backend_tokenizer.to_str())
    for path, content in extra:
        (folder / path).write_text(content if isinstance(content, str) else json.dumps(content))
    (folder / "expected.json").write_text(json.dumps({"texts": TEXTS} | expected))


def rounded(values):
    return [round(x, 7) for x in values.tolist()]


def ids(tok):
    return [tok(t, truncation=True)["input_ids"] for t in TEXTS]


def encoder(name, model, tok, prefixes, extra=()):
    expected = {"ids": ids(tok)}
    for role in ("query", "passage"):
        batch = [tok(prefixes[role] + t, truncation=True, return_token_type_ids=False, return_tensors="pt")
                 for t in TEXTS]
        states = [model(**b).last_hidden_state[0].float() for b in batch]
        expected[role] = [rounded(torch.nn.functional.normalize(s.mean(0), dim=0)) for s in states]
    settings = ("config_sentence_transformers.json", {"prompts": prefixes})
    save(name, model, tok, expected, [settings, *extra])


def cross(name, model, tok, types=False):
    """`types`: whether the family has vectors for tokens of a second text."""
    scores = []
    for query in TEXTS[:2]:
        pairs = [tok([query], [t], truncation=True, return_token_type_ids=types, return_tensors="pt")
                 for t in TEXTS]
        scores.append(rounded(torch.stack([model(**p).logits[0, 0] for p in pairs])))
    save(name, model, tok, {"queries": TEXTS[:2], "scores": scores})


def sparse(name, model, tok):
    rows = []
    for text in TEXTS:
        b = tok(text, truncation=True, return_token_type_ids=False, return_tensors="pt")
        rows.append(rounded(torch.log1p(model(**b).logits[0].relu()).max(0).values))
    save(name, model, tok, {"weights": rows})


@torch.no_grad()
def main():
    plain = {"query": "", "passage": ""}
    torch.manual_seed(21)
    tok = word_pieces(lowercase=False)
    model = BertModel(BertConfig(vocab_size=len(tok), max_position_embeddings=32, **SIZES), add_pooling_layer=False)
    by_id = sorted(tok.get_vocab(), key=tok.get_vocab().get)
    encoder("cased", randomise(model), tok, plain,
            [("vocab.txt", "\n".join(by_id) + "\n"), ("tokenizer_config.json", {"do_lower_case": False})])

    torch.manual_seed(22)
    tok = unigrams()
    settings = {"vocab_size": len(tok), "max_position_embeddings": 34, "type_vocab_size": 1, "pad_token_id": 1} | SIZES
    model = XLMRobertaModel(XLMRobertaConfig(**settings), add_pooling_layer=False)
    # Stored in 16 bits; what is expected is computed with the same numbers in 32.
    halved = randomise(model).half()
    encoder("xlm-roberta", halved.float(), tok, {"query": "query: ", "passage": "passage: "})
    halved.half().save_pretrained(HERE / "xlm-roberta", safe_serialization=True)

    torch.manual_seed(28)
    tok = mpnet_pieces()
    mpnet = MPNetConfig(vocab_size=len(tok), max_position_embeddings=34, **SIZES)
    encoder("mpnet", randomise(MPNetModel(mpnet, add_pooling_layer=False)), tok, plain)

    tok = byte_pairs()
    settings["vocab_size"] = len(tok)
    torch.manual_seed(23)
    cross("roberta", randomise(RobertaForSequenceClassification(RobertaConfig(num_labels=1, **settings))), tok)
    torch.manual_seed(24)
    sparse("roberta-sparse", randomise(RobertaForMaskedLM(RobertaConfig(**settings))), tok)

    tok = word_pieces(lowercase=True)
    torch.manual_seed(25)
    sparse("distilbert", randomise(DistilBertForMaskedLM(DistilBertConfig(vocab_size=len(tok), **DISTIL))), tok)
    torch.manual_seed(26)
    model = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=len(tok), num_labels=1, **DISTIL))
    cross("distilbert-cross", randomise(model), tok)
    torch.manual_seed(27)
    settings = ElectraConfig(vocab_size=len(tok), num_labels=1, embedding_size=24, max_position_embeddings=32, **SIZES)
    cross("electra", randomise(ElectraForSequenceClassification(settings)), tok, types=True)


if __name__ == "__main__":
    main()
