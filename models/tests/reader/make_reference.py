#!/usr/bin/env python3
"""What the trained reader sees in torch, in 32 bits, for `models/tests/reader.rs`.

    make_reference.py READER_DIR > reference.json

READER_DIR is the folder that `models/training/train_reader.py` wrote.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "training"))

import torch
from safetensors.torch import load_file
from train_reader import Exercises, Reader

HARBOUR = ("Harbour Works was founded in 1921 by Ada Quill, a shipwright from Port Selwyn. It employed 250 people until "
           "its docks closed in May 1970, and built 43 vessels, among them the ferry Maren.")
STATION = ("The station (opened 4 June 1899) stands at the foot of Mt Brannock, 12.5 km north of Eastmere. Its architect, "
           "José Ibáñez-Núñez, won the Aldous Prize for it; the clock tower was added by his daughter.")
ENZYME = ("Carbonic anhydrase speeds up the conversion of carbon dioxide to bicarbonate about a million times. In red "
          "blood cells it makes up the second largest share of protein after haemoglobin.")
ASKED = [
    ("Who founded Harbour Works?", "Harbour Works", HARBOUR),
    ("When did the docks of Harbour Works close?", "Harbour Works", HARBOUR),
    ("How many vessels were built?", "", HARBOUR),
    ("Where was the founder of Harbour Works from?", "Harbour Works", HARBOUR),
    ("Who was the architect of the station?", "Eastmere station", STATION),
    ("How far from Eastmere is the station?", "Eastmere station", STATION),
    ("What prize did the architect win?", "", STATION),
    ("What does carbonic anhydrase convert?", "Carbonic anhydrase", ENZYME),
    ("Which protein is most abundant in red blood cells?", "", ENZYME),
    ("Who painted the ceiling of the chapel?", "Harbour Works", HARBOUR),
    # Longer than a window.
    ("Who founded Harbour Works?", "Notes", " ".join([ENZYME, STATION] * 4 + [HARBOUR])),
]


@torch.no_grad()
def main(folder):
    model = Reader()
    model.take(load_file(folder / "model.safetensors"))
    model.eval()
    exercises = Exercises(folder)
    items = []
    for question, title, text in ASKED:
        tokens = {}
        for ids, types, _, offsets in exercises.of(question, title, text, [], []):
            logits = model(torch.tensor([ids]), torch.tensor([types]), torch.tensor([len(ids)]))[0]
            for (start, end), place in zip((logits - logits[0]).tolist(), offsets):
                if place is not None:
                    known = tokens.get(place, (start, end))
                    tokens[place] = (max(known[0], start), max(known[1], end))
        # Bytes, not characters.
        at = lambda i: len(text[:i].encode())
        scores = [[at(a), at(b), round(s, 3), round(e, 3)] for (a, b), (s, e) in sorted(tokens.items())]
        items.append({"question": question, "title": title, "text": text, "tokens": scores})
    json.dump({"items": items}, sys.stdout, ensure_ascii=False, indent=None)
    print()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
