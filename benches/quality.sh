#!/usr/bin/env bash
# How good are retrieval and answers on the evaluation data? Prints the tables of docs/quality.md.
# usage: benches/quality.sh DATA_DIR [WORK_DIR]; WORK_DIR keeps the indexes for the next time.
set -euo pipefail
data=$1
work=${2:-$(mktemp -d)}
indago=${INDAGO:-"$(dirname "$0")/../target/release/indago"}
multi=(--set musique --set 2wiki --set hotpotqa --set multihop-rag-evidence)
linked=(--set musique --set 2wiki --set hotpotqa)
every=(--retriever bm25 --retriever dense --retriever dense@static --retriever rrf --retriever fused --retriever ppr --retriever graph)
for half in report all; do
    "$indago" eval retrieval --data "$data" --work "$work" --half "$half" "${every[@]}"
done
# Token vectors take 200 bytes each; sentences, which are encoded by themselves, on the smaller sets.
for set in musique 2wiki hotpotqa popqa pubmedqa npl; do
    "$indago" eval retrieval --data "$data" --set "$set" --work "$work" --half all \
        --retriever bm25 --retriever maxsim --retriever plaid --retriever muvera --retriever ann
done
for set in limit-small multihop-rag-evidence cranfield cisi cacm scifact; do
    "$indago" eval retrieval --data "$data" --set "$set" --work "$work" --half all \
        --retriever bm25 --retriever dense --retriever maxsim --retriever plaid --retriever muvera \
        --retriever plaid@minilm:sentences --retriever ann
done
"$indago" eval retrieval --data "$data" --work "$work" --half dev \
    --retriever bm25 --retriever rrf --retriever fused --retriever graph
for half in report dev; do
    "$indago" eval retrieval --data "$data" "${linked[@]}" --work "$work" --half "$half" --no-titles \
        --baseline rrf --retriever rrf --retriever fused --retriever graph
done
"$indago" eval ask --data "$data" "${multi[@]}" --work "$work" --half report --without-gold
