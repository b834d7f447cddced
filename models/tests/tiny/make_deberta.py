"""Tiny random checkpoints of DeBERTa with what transformers makes of them: fixtures of `tests/families.rs`.

    pip install torch transformers safetensors tokenizers
    python make_deberta.py

As `make_families.py`, whose texts these have. One has buckets of distances that widen, one a bucket for each
distance up to one that is shorter than the texts.
"""

import torch
from transformers import DebertaV2Config, DebertaV2ForMaskedLM, DebertaV2ForSequenceClassification, DebertaV2Model

from make_families import BERTS, SIZES, cross, encoder, randomise, sparse, unigrams

PLAIN = {"query": "", "passage": ""}
DISENTANGLED = SIZES | {
    "relative_attention": True, "share_att_key": True, "position_biased_input": False, "pos_att_type": "p2c|c2p",
    "norm_rel_ebd": "layer_norm", "position_buckets": 8, "max_position_embeddings": 32, "type_vocab_size": 0,
}


def settings(tok, **more):
    return DebertaV2Config(vocab_size=len(tok), **(DISENTANGLED | more))


@torch.no_grad()
def main():
    # Pieces as the third version has them, in the frame of BERT.
    tok = unigrams(BERTS, "[UNK]", ("[CLS]", "[SEP]", 1))
    torch.manual_seed(41)
    encoder("deberta", randomise(DebertaV2Model(settings(tok))), tok, PLAIN)
    torch.manual_seed(42)
    alone = settings(tok, num_labels=1, position_buckets=-1, max_relative_positions=20, norm_rel_ebd="none")
    cross("deberta-cross", randomise(DebertaV2ForSequenceClassification(alone)), tok)
    torch.manual_seed(43)
    sparse("deberta-sparse", randomise(DebertaV2ForMaskedLM(settings(tok))), tok)


main()
