"""A stand-in for the programs of LS-GKM, which no package index has: their command line, with a model of its own.

Called ``gkmtrain`` it writes log ratios of the 6-mers of both strands to ``<outprefix>.model.txt``; called
``gkmpredict`` it writes ``name<TAB>score`` for each sequence. As with the originals, a wrong command line prints the
usage and ends with exit status 0.
"""

import getopt
import math
import os
import sys
from collections import Counter
from pathlib import Path

K = 6
USAGE = {"gkmtrain": "gkmtrain [options] <posfile> <negfile> <outprefix>"}
USAGE["gkmpredict"] = "gkmpredict [options] <test_seqfile> <model_file> <output_file>"
OPTIONS = {"gkmtrain": "t:l:k:d:g:M:H:Rc:e:w:m:sx:i:r:v:T:", "gkmpredict": "v:T:"}


def read_fasta(path):
    entries = [entry.split("\n", 1) for entry in Path(path).read_text().split(">") if entry]
    return [(name.split()[0], text.replace("\n", "")) for name, text in entries]


def words(text):
    other = text[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return [min(a, b) for a, b in zip(pieces(text), reversed(pieces(other)), strict=True)]


def pieces(text):
    return [text[start : start + K] for start in range(len(text) - K + 1)]


def train(positives, negatives, prefix):
    counts = [Counter(word for _, text in read_fasta(path) for word in words(text)) for path in (positives, negatives)]
    known = sorted(set(counts[0]) | set(counts[1]))
    lines = [f"{word} {math.log((counts[0][word] + 1) / (counts[1][word] + 1))}\n" for word in known]
    Path(f"{prefix}.model.txt").write_text("".join(lines))


def predict(sequences, model, output):
    weights = {word: float(weight) for word, weight in map(str.split, Path(model).read_text().splitlines())}
    rows = [(name, max(weights.get(word, 0.0) for word in words(text))) for name, text in read_fasta(sequences)]
    Path(output).write_text("".join(f"{name}\t{score:g}\n" for name, score in rows))


def main():
    name = Path(sys.argv[0]).name
    try:
        options, arguments = getopt.getopt(sys.argv[1:], OPTIONS[name])
    except getopt.GetoptError:
        options, arguments = [], []
    if len(arguments) != 3:
        print(f"Usage: {USAGE[name]}")
        return
    if log := os.environ.get("GKM_LOG"):  # for tests: what was asked for
        numbers = [len(read_fasta(path)) for path in arguments[:2] if path.endswith(".fa")]
        with open(log, "a") as file:
            print(name, *(f"{key}{value}" for key, value in options), *numbers, os.getcwd(), file=file)
    (train if name == "gkmtrain" else predict)(*arguments)


main()
