#!/usr/bin/env bash
# Drives `indago tui` in a real terminal (tmux) on the example corpus and writes docs/guide/terminal.md
# with what was on the screen: docs/guide/terminal.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/indago}")
[ -x "$program" ] || { echo "build it first: cargo build --release" >&2; exit 1; }
project=$(mktemp -d)
socket="indago-guide-$$-0"
page=docs/guide/terminal.md
tm() { tmux -L "$socket" "$@"; }
trap 'tm kill-server 2>/dev/null || true; rm -rf "$project"' EXIT

"$program" index examples/corpus --project "$project" --corpus coast --quiet

# A window of the given size with the given command.
open() {
    tm kill-server 2>/dev/null || true
    socket="indago-guide-$$-$1x$2"
    tm -f /dev/null new-session -d -x "$1" -y "$2" \
        "LANG=C.UTF-8 COLORTERM=truecolor $program tui --project $project --corpus coast ${3:-}; sh"
}
keys() { tm send-keys "$@"; }
screen() { tm capture-pane -p; }
# Waits until the screen holds a text.
until_shown() {
    for _ in $(seq 300); do
        if screen | grep -qF -- "$1"; then return; fi
        sleep 0.1
    done
    echo "never shown: $1" >&2
    screen >&2
    exit 1
}
say() { printf '%s\n' "$*" >> "$page"; }
show() { { echo '```text'; screen | sed "s|$project|~/coast|g; s|$program|indago|g; s/[ ]*\$//" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; echo '```'; echo; } >> "$page"; }

: > "$page"
say "# A session in the terminal"
say
say "Written by \`docs/guide/terminal.sh\`, which types these keys into a real terminal (tmux) and copies the screens; the corpus is \`examples/corpus\`."
say "\`?\` (or F1 while you type) shows all keys, \`:\` finds a command by its name, \`indago tui --keys\` lists them; [configuration](../reference/configuration.md) says how to change them."
say
say "## Ask"
say
say "\`indago tui\` opens with the cursor in the question. Below it: recorded runs, and the corpora with their state."
say
open 100 30
until_shown "81 documents"
keys -l "Which foundation does the predecessor of Maren Okafor-Lind as director chair?"
until_shown "as director chair?"
show
say "## Watch"
say
say "Enter asks. Sub-questions appear as they are planned; each box has its state, its confidence, its queries and, once there is one, its answer. On the right is what happened to the selected one and why; below is the log."
say
keys Enter
until_shown "Brisling Foundation (0"
keys 2
sleep 5
show
say "Tab goes to the trail; End to what was found there: the finding, the names that led on, and each passage that was read, with its ranks and whether it was quoted."
say
keys Tab End
sleep 0.5
show
say "## Read"
say
say "\`3\` opens the report, \`]\` goes from quote to quote, Enter shows the quote in its document."
say
keys 3 ']' Enter
until_shown "harbour engineer"
show
say "\`e\` exports it: the ending of the file's name says the format."
say
keys e
until_shown "Export the report"
show
keys Escape
say "## Look into the library"
say
say "\`4\` lists corpora, documents and passages; \`/\` tries a query against each retriever, side by side where there is room."
say
keys Escape Escape 4
until_shown "Documents ("
keys /
keys -l "Who built the ship?"
keys Enter
until_shown "Order for a third ship"
show
say "## Steer, leave, come back"
say
say "Ctrl-O asks and pauses, so that the plan can be looked at and changed first: \`a\` adds a sub-question, \`w\` rewords, \`x\` takes one out, \`b\` changes the budget, \`y\` approves, \`f\` finishes with what there is. Everything you ask of a run is recorded with it."
say
# Apart, so that no terminal takes Escape and a digit for Alt and a digit.
for key in Escape Escape 1; do keys "$key"; sleep 0.5; done
until_shown "Ask"
for _ in 1 2 3; do if screen | grep -qF "╔ Ask"; then break; fi; keys Tab; sleep 0.3; done
keys -l "Which yard built RV Alma Thorsen, and when was the yard founded?"
until_shown "yard founded?"
keys C-o
until_shown "paused"
sleep 5
show
say "\`q\` leaves; the run goes on (here it waits) and the last line says how to come back, from this or another terminal:"
say
keys q
until_shown "watch it with"
show
say "\`indago tui last\` opens it again, and \`y\` lets it run:"
say
keys "clear; $program tui last --project $project" Enter
until_shown "paused"
keys y
until_shown "finished"
sleep 5
show
say "\`F\` starts another run that shares this one's record up to the line selected in the log, or up to where the plan could last be changed; nothing that both share is searched again:"
say
keys F
until_shown "Start another run"
show
keys Escape
say "## Small windows, plain terminals, pipes"
say
say "At 40 columns one pane is shown at a time; without UTF-8 in the locale everything is ASCII, with \`NO_COLOR\` nothing is coloured."
say
tm kill-server
socket="indago-guide-$$-small"
tm -f /dev/null new-session -d -x 40 -y 14 "LANG=C NO_COLOR=1 $program tui last --project $project; sh"
until_shown "finished"
sleep 5
show
say "In a pipe there is no screen, so the same comes as lines (\`--print\` asks for that anywhere, \`--json\` for the events as JSON):"
say
say '```console'
say '$ indago tui last | head -12'
"$program" tui last --project "$project" 2>&1 | head -12 | cut -c1-150 >> "$page" || true
say '```'
keys q 2>/dev/null || true
echo "written: $page"
