"""Tiny random checkpoints of BERT's successors with rotary positions and gated layers (ModernBERT, GTE 1.5,
Nomic's), with what transformers makes of them: the fixtures of `tests/rotary.rs`.

    pip install torch transformers safetensors tokenizers
    python make_rotary.py

As `make_families.py`, whose texts and tokenizers these have.
"""

import json
import string

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GteConfig,
    GteForSequenceClassification,
    GteModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertModel,
    NomicBertConfig,
    NomicBertModel,
)

from make_families import (
    BERTS, HERE, SIZES, SMALL, TEXTS, cross, encoder, framed, randomise, rounded, save, sparse, unigrams, word_pieces,
)

PLAIN = {"query": "", "passage": ""}
# Layers 0 and 3 look everywhere, 1 and 2 at five tokens to each side: texts of 32 are longer.
MODERN = SIZES | {"num_hidden_layers": 4, "intermediate_size": 20, "local_attention": 10,
                  "max_position_embeddings": 32}


def byte_pairs():
    """ModernBERT's: bytes in the frame of BERT."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    settings = SMALL | {"vocab_size": 320, "initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    tok.train_from_iterator(TEXTS, trainers.BpeTrainer(special_tokens=BERTS, **settings))
    return framed(tok, "[CLS]", "[SEP]", 1)


def modern(tok, **more):
    special = {"pad_token_id": 0, "cls_token_id": 2, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
    return ModernBertConfig(vocab_size=len(tok), **special, **(MODERN | more))


def late(name, model, tok, lengths):
    """Late interaction in the layout of PyLate; what is expected is the arithmetic of ColBERT, section 3.2."""
    linear = torch.randn(8, model.config.hidden_size) * 0.4
    ids_of = tok.convert_tokens_to_ids
    punctuation = set(ids_of(list(string.punctuation)))

    def rows(text, role):
        pieces = tok(text, add_special_tokens=False)["input_ids"][:lengths[role] - 3]
        ids = [ids_of("[CLS]"), ids_of("[Q] " if role == "query" else "[D] "), *pieces, ids_of("[SEP]")]
        seen = len(ids)
        if role == "query":
            ids += [ids_of("[MASK]")] * (lengths[role] - seen)
        mask = [int(i < seen) for i in range(len(ids))]
        states = model(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([mask])).last_hidden_state[0]
        vectors = torch.nn.functional.normalize(states @ linear.T, dim=1)
        return [rounded(v) for v, piece in zip(vectors, ids) if role == "query" or piece not in punctuation]

    texts = [t for t in TEXTS if t]
    save(name, model, tok, {role: [rows(t, role) for t in texts] for role in lengths} | {"texts": texts}, [
        ("modules.json", [{"idx": 0, "type": "sentence_transformers.models.Transformer", "path": ""},
                          {"idx": 1, "type": "pylate.models.Dense.Dense", "path": "1_Dense"}]),
        ("config_sentence_transformers.json", {f"{role}_length": n for role, n in lengths.items()}),
    ])
    dense = HERE / name / "1_Dense"
    dense.mkdir(exist_ok=True)
    save_file({"linear.weight": linear}, dense / "model.safetensors", {"format": "pt"})
    (dense / "config.json").write_text(json.dumps(
        {"in_features": model.config.hidden_size, "out_features": 8, "bias": False,
         "activation_function": "torch.nn.modules.linear.Identity"}))


@torch.no_grad()
def main():
    tok = byte_pairs()
    torch.manual_seed(31)
    encoder("modernbert", randomise(ModernBertModel(modern(tok))), tok, {"query": "search: ", "passage": ""})
    torch.manual_seed(32)
    # Everything that may have a bias has one.
    biases = {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True}
    settings = modern(tok, num_labels=1, classifier_pooling="mean", **biases)
    cross("modernbert-cross", randomise(ModernBertForSequenceClassification(settings)), tok)
    torch.manual_seed(33)
    sparse("modernbert-sparse", randomise(ModernBertForMaskedLM(modern(tok))), tok)

    torch.manual_seed(37)
    tok.add_tokens(["[Q] ", "[D] "])
    model = randomise(ModernBertModel(modern(tok, local_attention=24)))
    late("modernbert-late", model, tok, {"query": 12, "document": 28})

    tok = word_pieces(lowercase=True)
    torch.manual_seed(34)
    settings = {"vocab_size": len(tok), "max_position_embeddings": 32, "pad_token_id": 0} | SIZES
    encoder("gte", randomise(GteModel(GteConfig(type_vocab_size=0, **settings))), tok, PLAIN)
    torch.manual_seed(35)
    encoder("nomic", randomise(NomicBertModel(NomicBertConfig(**settings))), tok,
            {"query": "search_query: ", "passage": "search_document: "})

    tok = unigrams()
    torch.manual_seed(36)
    settings |= {"vocab_size": len(tok), "pad_token_id": 1, "num_labels": 1}
    cross("gte-cross", randomise(GteForSequenceClassification(GteConfig(type_vocab_size=1, **settings))), tok)


if __name__ == "__main__":
    main()
