#!/usr/bin/env python3
"""Which words of the shop's titles are nouns: the reward compares titles by these, and the original asks spaCy.

  python3 assets/webshop/nouns.py tag CATALOGUE.json > title_nouns.jsonl   (needs spacy 3.8 and en_core_web_sm 3.8.0)
  python3 assets/webshop/nouns.py pack title_nouns.jsonl > assets/webshop/nouns
  python3 assets/webshop/nouns.py words title_nouns.jsonl > assets/webshop/others.txt
  python3 assets/webshop/nouns.py check title_nouns.jsonl

`tag` writes a line for each product's title: {"name": ..., "tokens": [[text, part of speech], ...]}. A file of that name
beside a catalogue is read by the program. `pack` keeps for each title its hash and where its nouns stand, so that no
title is in this repository. `words` lists what is mostly no noun, for titles that nobody has tagged; `check` says how
often that rule agrees with spaCy on titles that it has not seen (five parts, each judged by the others).
"""
import json
import re
import sys
from collections import Counter, defaultdict

NOUNS = ("NOUN", "PROPN")


def digest(text):
    """The program's hash of one text: FNV-1a of its bytes and 0xFF, then MurmurHash3's finaliser."""
    mask = (1 << 64) - 1
    z = 0xCBF29CE484222325
    for byte in text.encode() + b"\xff":
        z = (z ^ byte) * 0x100000001B3 & mask
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        z = (z ^ (z >> 33)) * factor & mask
    return z ^ (z >> 33)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tag(path):
    import spacy

    nlp = spacy.load("en_core_web_sm")
    with open(path, encoding="utf-8") as file:
        names = [product["name"] for product in json.load(file)]
    for name, doc in zip(names, nlp.pipe(names)):
        print(json.dumps({"name": name, "tokens": [[t.text, t.pos_] for t in doc]}))


def pack(path):
    found = {}
    for row in rows(path):
        name, at, end, out, count = row["name"], 0, 0, b"", 0
        for text, pos in row["tokens"]:
            at = name.index(text, at)
            if pos in NOUNS:
                start, length = len(name[:at].encode()), len(text.encode())
                out, end, count = out + varint(start - end) + varint(length), start + length, count + 1
            at += len(text)
        found[digest(name)] = varint(count) + out
    for key in sorted(found):
        sys.stdout.buffer.write(key.to_bytes(8, "little") + varint(len(found[key])) + found[key])


def pieces(title):
    """Words as spaCy parts them, nearly: at white space, at marks around a word, at hyphens between letters."""
    for chunk in title.split():
        chunk = chunk.strip("()[]{}<>,.;:!?\"'“”‘’|&*+/\\~®™…-–—")
        chunk = re.sub(r"['’]s$", "", chunk)
        yield from (part for part in re.split(r"(?<=[^\W\d_])[-–—/,(](?=[^\W\d_])", chunk) if part)


def others(all_rows):
    counts = defaultdict(Counter)
    for row in all_rows:
        for text, pos in row["tokens"]:
            counts[text.lower()][pos in NOUNS] += 1
    rule = lambda word, of: of[False] > of[True] and any(c.isalpha() for c in word) and sum(of.values()) > 1
    return sorted(word for word, of in counts.items() if rule(word, of))


def judged(title, known):
    return [p.lower() for p in pieces(title) if p.lower() not in known and any(c.isalpha() for c in p)]


def check(path):
    all_rows = rows(path)
    hits = found = wanted = 0
    for part in range(5):
        known = set(others([row for i, row in enumerate(all_rows) if i % 5 != part]))
        for row in all_rows[part::5]:
            ours = Counter(judged(row["name"], known))
            theirs = Counter(text.lower() for text, pos in row["tokens"] if pos in NOUNS)
            hits += sum((ours & theirs).values())
            found, wanted = found + sum(ours.values()), wanted + sum(theirs.values())
    print(f"{len(all_rows)} titles: precision {hits / found:.3f}, recall {hits / wanted:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("tag", "pack", "words", "check"):
        sys.exit(__doc__)
    command, file = sys.argv[1:]
    if command == "words":
        print("\n".join(others(rows(file))))
    else:
        {"tag": tag, "pack": pack, "check": check}[command](file)
