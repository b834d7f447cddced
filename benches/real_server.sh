#!/usr/bin/env bash
# Runs the client's tests against a server that nobody here wrote: llama-cpp-python's, with a tiny
# random model made here. The first run builds the server (about 7 minutes of CPU; needs a C++
# compiler) and keeps it in .venv-real-server; later ones take seconds. Not part of CI.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-real-server
port=${PORT:-8765}
if [ ! -f "$venv/built" ]; then
    python3 -m venv "$venv"
    # Hardly optimised, which halves the build: the model is tiny.
    export CMAKE_ARGS="-DLLAVA_BUILD=OFF -DCMAKE_C_FLAGS_RELEASE=-O1 -DCMAKE_CXX_FLAGS_RELEASE=-O1"
    # scikit-build-core fetches cmake and ninja itself where there are none.
    "$venv/bin/pip" install --quiet --disable-pip-version-check numpy gguf==0.19.0 \
        "llama-cpp-python[server]==0.3.36"
    touch "$venv/built"
fi
work=$(mktemp -d)
"$venv/bin/python" benches/tiny_gguf.py "$work/tiny.gguf"
# The format whose tool calls are forced by a grammar.
"$venv/bin/python" -m llama_cpp.server --model "$work/tiny.gguf" --model_alias tiny --n_ctx 4096 \
    --chat_format chatml-function-calling --host 127.0.0.1 --port "$port" >"$work/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    if curl -sf "http://127.0.0.1:$port/v1/models" >/dev/null; then break; fi
    kill -0 "$server" || { cat "$work/server.log" >&2; exit 1; }
    sleep 0.3
done
INDAGO_REAL_SERVER="http://127.0.0.1:$port/v1" \
    cargo test --workspace --test remote -- --ignored --test-threads 1 real_server \
    || { tail -n 40 "$work/server.log" >&2; exit 1; }
