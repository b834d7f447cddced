"""Writes a llama-architecture GGUF of random weights and a byte vocabulary: 0.5 MB, the same bytes
for the same seed. What a server says with it means nothing; that it says it is what is tested.

    tiny_gguf.py FILE [SEED]
"""

import sys

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, FORWARD, CONTEXT = 2, 64, 4, 128, 2048


def main() -> None:
    path = sys.argv[1]
    random = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    # Three special tokens and all bytes, as sentencepiece vocabularies with byte fallback have them.
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256

    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FORWARD)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_vocab_size(len(tokens))
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    out.add_tokenizer_model("llama")
    out.add_token_list(tokens)
    out.add_token_scores([0.0] * len(tokens))
    out.add_token_types(kinds)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)

    def tensor(name: str, *shape: int) -> None:
        values = random.standard_normal(shape) / np.sqrt(shape[-1])
        out.add_tensor(name, values.astype(np.float32))

    def ones(name: str) -> None:
        out.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    tensor("token_embd.weight", len(tokens), WIDTH)
    for i in range(LAYERS):
        ones(f"blk.{i}.attn_norm.weight")
        for part in ("q", "k", "v", "output"):
            tensor(f"blk.{i}.attn_{part}.weight", WIDTH, WIDTH)
        ones(f"blk.{i}.ffn_norm.weight")
        tensor(f"blk.{i}.ffn_gate.weight", FORWARD, WIDTH)
        tensor(f"blk.{i}.ffn_up.weight", FORWARD, WIDTH)
        tensor(f"blk.{i}.ffn_down.weight", WIDTH, FORWARD)
    ones("output_norm.weight")
    tensor("output.weight", len(tokens), WIDTH)

    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    main()
