#!/usr/bin/env bash
# Writes docs/tour.md: what the release build prints on documents nobody wrote for it.
#
#     cargo build --release && docs/tour.sh > docs/tour.md
#
# Needs the documentation of the packages below under /usr/share/doc, as Debian installs it.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
indago="$root/target/release/indago"
project="$(mktemp -d)"
trap 'rm -rf "$project"' EXIT
cd "$project"

# show LINES COMMAND...: the command as a reader would type it, and the head of what it prints.
show() {
  local lines="$1" output
  shift
  printf '```console\n$ indago'
  printf ' %s' "${@@Q}" | sed "s/'\([A-Za-z0-9_./-]*\)'/\1/g; s/'/\"/g"
  printf '\n'
  output="$("$indago" "$@" 2>&1 | grep -v "^reading " || true)"
  head -n "$lines" <<<"$output"
  [ "$(wc -l <<<"$output")" -le "$lines" ] || echo '[...]'
  printf '```\n\n'
}

cat <<'TEXT'
# A tour on real documents

What the program does on documents nobody wrote for it: the installed package documentation of a Debian system (release notes, manuals in HTML, PDF and PostScript, gzip files, changelogs).
Output is shown as printed, wrong answers included; only long tails are cut (`[...]`). Written by `docs/tour.sh`.

## Index

TEXT
show 12 index /usr/share/doc/git /usr/share/doc/valgrind /usr/share/doc/python3.11 /usr/share/doc/bash /usr/share/doc/gnupg /usr/share/doc/zlib1g-dev --corpus docs --no-vectors
cat <<'TEXT'
Text is searchable at once. Vectors were left out here (`--no-vectors`); `indago index --vectors-only --corpus docs` fills them in behind, in steps that survive an interruption, and every report says how far they are.

## Ask

TEXT
show 32 ask "Which valgrind tool finds data races?" --corpus docs
show 32 ask "In which git version was git switch introduced?" --corpus docs
show 32 ask "Who wrote zlib?" --corpus docs
cat <<'TEXT'
## Look closer

`indago search` says why each passage was found:

TEXT
show 12 search "happens-before relation" --corpus docs -k 2
cat <<'TEXT'
And every question is a recorded run:

TEXT
show 8 runs list
cat <<'TEXT'
## What this shows

Quotes always stand where the source says, because each is read again from the stored document before it is printed. The confidence beside a short answer says how probable it is that it is right: short answers are read off the quotes by rules and weights, and where no sentence states the answer plainly they are often wrong. The quotes are what to rely on.
TEXT
