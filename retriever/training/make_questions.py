#!/usr/bin/env python3
"""Makes questions from the text of a corpus, to fit the graph retriever's weights on.

    make_questions.py CORPUS.jsonl[.gz] OUT_DIR [--number 600] [--seed 1] [--titles yes|no]

Reads documents with a title and a text, finds where one document's text mentions another's title,
and writes `queries.jsonl` and `qrels.tsv` in BEIR's layout. No question of any data set is read.

Kinds (`metadata.kind`), each a bag of words cut out of the documents, with words left out so that
questions do not simply repeat them:

- bridge:      a document's name, words around the mention of a second one, words of the second
- chain:       the same over three documents
- comparison:  two documents of one kind by name, words that both have
- bridges:     two documents by name, the words around a mention in each, both mentioned ones
- named:       one document by its name and a few of its words
- described:   one document by its words alone
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import re

STOP = set(
    "a an and are as at be but by for from had has have he her his if in into is it its no not of on "
    "or she such that the their then there these they this to was were which who will with also "
    "after before during when where while than one two first other some most more".split()
)
# What people ask about anything; used where the second document has the word.
ASKED = (
    "born died founded located country city director author name nationality population year date "
    "birth place husband wife father mother member capital river county award record team company "
    "release song album film part district state region university school".split()
)
FORMS = ["What {}?", "Who {}?", "When was {}?", "Where is {}?", "Which {}?", "What is the {}?"]


def documents(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            title, text = record.get("title") or "", record["text"]
            if len(text) > 80:
                yield record["_id"], title, text


def sentences(text):
    return [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z\"(])", text) if len(s) > 20]


def bare(title):
    return re.sub(r"\s*\([^)]*\)$", "", title).strip()


def content(text, without=()):
    drop = {w.lower() for name in without for w in re.findall(r"\w+", name)}
    words = re.findall(r"\w[\w'-]+", text)
    return [w for w in words if w.lower() not in STOP and w.lower() not in drop]


def some(rng, words, low, high):
    """Between `low` and `high` of the words, in their order."""
    n = min(len(words), rng.randint(low, high))
    return [words[i] for i in sorted(rng.sample(range(len(words)), n))]


class Corpus:
    def __init__(self, docs, rng):
        self.docs = docs
        self.rng = rng
        self.names = collections.defaultdict(list)
        for i, (_, title, _) in enumerate(docs):
            name = bare(title)
            if len(name) > 3 and not name.islower() and name[0].isupper():
                self.names[name].append(i)
        self.links = collections.defaultdict(list)
        first = collections.defaultdict(list)
        for name in self.names:
            first[name.split(" ")[0]].append(name)
        for i, (_, title, text) in enumerate(docs):
            seen = set()
            for sentence in sentences(text):
                for word in re.finditer(r"\b[A-Z\d][\w.'-]*", sentence):
                    for name in first.get(word.group().rstrip(".,'"), ()):
                        at = word.start()
                        end = at + len(name)
                        whole = sentence.startswith(name, at) and not sentence[end : end + 1].isalnum()
                        if whole and name not in seen and name != bare(title) and name not in title:
                            targets = [t for t in self.names[name] if t != i]
                            if len(targets) == 1 and title:
                                seen.add(name)
                                self.links[i].append((name, sentence, targets[0]))

    def relation(self, sentence, name, title):
        """A few words around a mention."""
        at = sentence.find(name)
        near = content(sentence[max(0, at - 60) : at] + " " + sentence[at + len(name) :][:40], (name, title))
        return some(self.rng, near, 1, 3)

    def asked(self, i, without=()):
        """What is asked about document `i`: words of one of its sentences, or a common question's."""
        _, title, text = self.docs[i]
        common = [w for w in ASKED if re.search(rf"\b{w}\b", text)]
        if common and self.rng.random() < 0.5:
            return [self.rng.choice(common)]
        of = self.rng.choice(sentences(text) or [text])
        return some(self.rng, content(of, (bare(title), *without)), 1, 5)

    def subject(self, i):
        """How a question speaks of document `i`: by name, or by a few of its words."""
        _, title, text = self.docs[i]
        if title and self.rng.random() < 0.75:
            return [bare(title)]
        return some(self.rng, content((sentences(text) or [text])[0], (title,)), 3, 6)

    def bridge(self):
        i = self.rng.choice(list(self.links))
        name, sentence, j = self.rng.choice(self.links[i])
        words = self.asked(j, (name,)) + self.relation(sentence, name, self.docs[i][1]) + self.subject(i)
        return words, [i, j]

    def chain(self):
        i = self.rng.choice([i for i in self.links if any(self.links.get(j) for _, _, j in self.links[i])])
        name, sentence, j = self.rng.choice([l for l in self.links[i] if self.links.get(l[2])])
        further = [l for l in self.links[j] if l[2] not in (i, j)]
        if not further:
            return None
        name2, sentence2, k = self.rng.choice(further)
        words = self.asked(k, (name2, name)) + self.relation(sentence2, name2, name)
        return words + self.relation(sentence, name, self.docs[i][1]) + self.subject(i), [i, j, k]

    def alike(self, i):
        """Another named document that opens with two of the same words."""
        _, title, text = self.docs[i]
        mine = set(content(sentences(text)[0] if sentences(text) else text, (title,)))
        for j in self.rng.sample(range(len(self.docs)), min(400, len(self.docs))):
            _, other, body = self.docs[j]
            if j != i and other and bare(other) != bare(title):
                shared = mine & set(content(body[:200], (other,)))
                if len(shared) >= 2:
                    return j, sorted(shared)
        return None

    def comparison(self):
        i = self.rng.choice([i for i, (_, title, _) in enumerate(self.docs) if title])
        found = self.alike(i)
        if not found:
            return None
        j, shared = found
        words = some(self.rng, shared, 1, 2) + self.rng.choice([["first"], ["older"], ["both"], ["same"], []])
        return words + [bare(self.docs[i][1]), "or", bare(self.docs[j][1])], [i, j]

    def bridges(self):
        i = self.rng.choice(list(self.links))
        found = self.alike(i)
        if not found or not self.links.get(found[0]):
            return None
        j = found[0]
        name, sentence, k = self.rng.choice(self.links[i])
        name2, _, l = self.rng.choice(self.links[j])
        if len({i, j, k, l}) < 4:
            return None
        words = self.asked(k, (name,))[:2] + self.relation(sentence, name, self.docs[i][1])
        return words + [bare(self.docs[i][1]), "or", bare(self.docs[j][1])], [i, j, k, l]

    def named(self):
        i = self.rng.choice([i for i, (_, title, _) in enumerate(self.docs) if title])
        return self.asked(i) + [bare(self.docs[i][1])], [i]

    def described(self):
        i = self.rng.randrange(len(self.docs))
        return some(self.rng, content(self.rng.choice(sentences(self.docs[i][2]) or [self.docs[i][2]])), 4, 10), [i]


SHARES = [("bridge", 45), ("chain", 10), ("comparison", 15), ("bridges", 10), ("named", 10), ("described", 10)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--number", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    corpus = Corpus(list(documents(args.corpus)), rng)
    print(len(corpus.docs), "documents,", sum(map(len, corpus.links.values())), "mentions")
    args.out.mkdir(parents=True, exist_ok=True)
    # Titles of papers are sentences: such a corpus gives only what documents say.
    linked = len(corpus.links) > len(corpus.docs) / 10
    kinds = [kind for kind, share in SHARES for _ in range(share) if linked or kind == "described"]
    with open(args.out / "queries.jsonl", "w") as queries, open(args.out / "qrels.tsv", "w") as qrels:
        qrels.write("query-id\tcorpus-id\tscore\n")
        made = 0
        while made < args.number:
            kind = rng.choice(kinds)
            found = getattr(corpus, kind)()
            if not found or not found[0] or len(set(found[1])) != len(found[1]):
                continue
            words, gold = found
            # Subject first or last, as questions have it.
            text = rng.choice(FORMS).format(" ".join(words if rng.random() < 0.7 else words[::-1]))
            name = f"{kind}-{made}"
            queries.write(json.dumps({"_id": name, "text": text, "metadata": {"kind": kind}}) + "\n")
            for i in gold:
                qrels.write(f"{name}\t{corpus.docs[i][0]}\t1\n")
            made += 1


if __name__ == "__main__":
    main()
