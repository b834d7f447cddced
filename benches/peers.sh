#!/usr/bin/env bash
# Installs the peers that indago is measured against into .venv-peers, apart from everything else.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv .venv-peers
.venv-peers/bin/pip install --quiet --disable-pip-version-check \
    bm25s==0.3.16 PyStemmer==3.1.0 numpy torch transformers onnx onnxruntime onnxscript pytrec_eval-terrier
echo "peers are in .venv-peers"
