"""The language-model corpus: the train and valid regions of a genome as one stream of k-mer tokens in HDF5.

A *contig* is a stretch of a block that has no N: every N, single ones too, ends a contig, since what it hides has
unknown length. What is to be left out (`data.masking`) counts as N. Contigs under the least length are left out. Any
other letter than A, C, G, T (an IUPAC code) stays inside its contig, and the k-mers over it become ``<unk>``.
Lower case counts as upper case. No k-mer reaches across the border of a block, so none has a base of a test region.

The file has ``tokens`` (1-D, smallest unsigned type, uncompressed and in one piece: it can be memory-mapped), first all
of train, then all of valid; ``contigs``, a table that says where each came from; and the attribute ``bindgram`` with
vocabulary, counts and provenance as JSON.

There is one token per base whatever the stride: the k-mer that begins there. Every contig is led by `stride` ``<bos>``.
So every `stride`-th token from any of the first `stride` on is a *phase*: k-mers `stride` bases apart, each contig led
by exactly one ``<bos>``. The stream in reversed order, each k-mer as its reverse complement, is the stream of the other
strand, and its phases are those of the other strand. One stream thus holds all phases of both strands.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd

from bindgram.data.hdf5 import new_hdf5
from bindgram.data.masking import Masked
from bindgram.data.splits import Split
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.provenance import METADATA_KEY, digest
from bindgram.sequence import dna
from bindgram.sequence.kmers import BOS, UNK, Vocabulary

CORPUS_SPLITS = ("train", "valid")
CONTIG_COLUMNS = ("chrom", "start", "end", "split", "first_token", "n_tokens")
NOTHING_MASKED = Masked()
_UPPER = 0xDF  # masks the bit that makes an ASCII letter lower-case
_N = ord("N")

Counts = dict[str, Any]


def write_corpus(
    path: Path,
    genome: Genome,
    split: Split,
    vocabulary: Vocabulary,
    chunk_bp: int,
    min_contig_bp: int,
    provenance: Mapping[str, Any],
    masked: Masked = NOTHING_MASKED,
) -> Counts:
    """Tokenize the train and valid regions of a genome into one HDF5 file, whole or not at all.

    Parameters
    ----------
    chunk_bp : bases held in memory at a time; the result does not depend on it.
    min_contig_bp : contigs shorter than this, or than one k-mer, are left out and counted.
    provenance : of `make_provenance`; the file gets it with the ``digest`` of its tokens added.
    masked : stretches that come into no contig.

    Returns
    -------
    Counts as stored: for train and valid the bases, letters, contigs and tokens, and the bases left to no corpus.

    Raises
    ------
    InputError : the train regions have no contig long enough, or the disk is full.
    """
    contigs, counts = find_contigs(genome, split, max(min_contig_bp, vocabulary.k), chunk_bp, masked)
    counts["masked"] = {name: dict(found) for name, found in masked.counts.items()}
    contigs = _place(contigs, vocabulary)
    if not (contigs["split"] == "train").any():
        raise InputError(
            f"{genome.path}: the train regions have no stretch of {max(min_contig_bp, vocabulary.k)} bp without N; "
            "lower corpus.min_contig_bp or choose other regions in config/splits"
        )
    with new_hdf5(path) as file:
        tokens_digest = _write_tokens(file, genome, contigs, vocabulary, chunk_bp, counts)
        file.create_dataset("contigs", data=_contig_records(contigs))
        borders = {name: counts[name]["n_tokens"] for name in CORPUS_SPLITS}
        content = digest({"tokens": tokens_digest, "n_tokens": borders, "vocabulary": vocabulary.to_json()})
        metadata = {
            "status": "ok",
            "reason": "",
            "vocabulary": vocabulary.to_json(),
            "counts": counts,
            "provenance": dict(provenance) | {"digest": content},
        }
        file.attrs[METADATA_KEY] = json.dumps(metadata, sort_keys=True)
    return counts


def find_contigs(
    genome: Genome, split: Split, min_bp: int, chunk_bp: int, masked: Masked = NOTHING_MASKED
) -> tuple[pd.DataFrame, Counts]:
    """Find the contigs of the train and valid blocks, and count letters.

    Returns
    -------
    Frame ``chrom, start, end, split`` in the order of the corpus, and counts: per split ``n_bases`` =
    ``n_contig_bases + n_short_contig_bases + n_ambiguous`` (N) ``+ n_masked``, with ``n_lower_case`` and ``n_iupac``
    (letters other than A, C, G, T, N) among them; ``n_bases_test`` and ``n_bases_outside`` every block.
    """
    frames, counts = [], {}
    for name in CORPUS_SPLITS:
        tally = dict.fromkeys(("n_bases", "n_lower_case", "n_ambiguous", "n_masked", "n_iupac"), 0)
        spans = [
            _block_contigs(genome, block.chrom, block.start, block.end, chunk_bp, masked, tally)
            for block in split.of(name).itertuples()
        ]
        found = pd.concat(spans, ignore_index=True).assign(split=name)
        lengths = found["end"] - found["start"]
        kept = lengths >= min_bp
        tally |= {"n_contigs": int(kept.sum()), "n_contig_bases": int(lengths[kept].sum())}
        tally |= {"n_short_contigs": int((~kept).sum()), "n_short_contig_bases": int(lengths[~kept].sum())}
        frames.append(found[kept])
        counts[name] = tally
    test = split.of("test")
    counts["n_bases_test"] = int((test["end"] - test["start"]).sum())
    in_blocks = int((split.regions["end"] - split.regions["start"]).sum())
    counts["n_bases_outside"] = sum(genome.chrom_sizes.values()) - in_blocks
    return pd.concat(frames, ignore_index=True), counts


def _block_contigs(
    genome: Genome, chrom: str, start: int, end: int, chunk_bp: int, masked: Masked, tally: Counts
) -> pd.DataFrame:
    """Stretches of one block without N and not masked: frame ``chrom, start, end``; adds what was seen to `tally`."""
    edges, inside = [], False
    for position in range(start, end, chunk_bp):
        letters = genome.fetch(chrom, position, min(position + chunk_bp, end))
        upper = letters & _UPPER
        known = upper != _N
        n_known, n_acgt = np.count_nonzero(known), sum(np.count_nonzero(upper == base) for base in b"ACGT")
        known &= ~masked.within(chrom, position, position + len(letters))
        edges.append(np.flatnonzero(np.diff(known, prepend=inside)) + position)
        inside = bool(known[-1])
        tally["n_bases"] += len(letters)
        tally["n_lower_case"] += int(np.count_nonzero(letters >= ord("a")))
        tally["n_ambiguous"] += int(len(letters) - n_known)
        tally["n_masked"] += int(n_known - np.count_nonzero(known))
        tally["n_iupac"] += int(n_known - n_acgt)
    borders = np.concatenate([*edges, [end] if inside else []]).astype(np.int64)
    return pd.DataFrame({"chrom": chrom, "start": borders[::2], "end": borders[1::2]})


def _place(contigs: pd.DataFrame, vocabulary: Vocabulary) -> pd.DataFrame:
    """Add where each contig stands in the stream: ``first_token`` (its first ``<bos>``), ``n_tokens`` with those."""
    n_tokens = vocabulary.stride + contigs["end"] - contigs["start"] - vocabulary.k + 1
    return contigs.assign(first_token=n_tokens.cumsum() - n_tokens, n_tokens=n_tokens)


def _write_tokens(
    file: h5py.File, genome: Genome, contigs: pd.DataFrame, vocabulary: Vocabulary, chunk_bp: int, counts: Counts
) -> str:
    """Write the stream and return its SHA-256; add to `counts` what each split got: tokens, and unknown ones."""
    dataset = file.create_dataset("tokens", (int(contigs["n_tokens"].sum()),), vocabulary.dtype)
    hasher, position = hashlib.sha256(), 0
    for name in CORPUS_SPLITS:
        before, n_unknown, ours = position, 0, contigs[contigs["split"] == name]
        for contig in ours.itertuples():
            assert position == contig.first_token
            for tokens in _contig_tokens(genome, contig.chrom, contig.start, contig.end, vocabulary, chunk_bp):
                dataset[position : position + len(tokens)] = tokens
                hasher.update(tokens)
                position += len(tokens)
                n_unknown += int(np.count_nonzero(tokens == UNK))
        counts[name] |= {"n_tokens": position - before, "n_unk": n_unknown}
    assert position == len(dataset)
    return hasher.hexdigest()


def _contig_tokens(
    genome: Genome, chrom: str, start: int, end: int, vocabulary: Vocabulary, chunk_bp: int
) -> Iterator[np.ndarray]:
    """Tokens of one contig in pieces: pieces overlap by k - 1 bases, so that borders do not show."""
    yield np.full(vocabulary.stride, BOS, vocabulary.dtype)
    last = end - vocabulary.k + 1  # of the first bases of k-mers, exclusive
    for first in range(start, last, chunk_bp):
        letters = genome.fetch(chrom, first, min(first + chunk_bp, last) + vocabulary.k - 1)
        yield vocabulary.at_every_base.encode(dna.encode(letters))


def _contig_records(contigs: pd.DataFrame) -> np.ndarray:
    texts = {name: np.char.encode(contigs[name].to_numpy(str), "utf-8") for name in ("chrom", "split")}
    types = [(name, texts[name].dtype if name in texts else np.int64) for name in CONTIG_COLUMNS]
    records = np.empty(len(contigs), types)
    for name in CONTIG_COLUMNS:
        records[name] = texts[name] if name in texts else contigs[name]
    return records


@dataclass(frozen=True)
class Corpus:
    """A tokenized genome on disk; see the module for its parts. Use `Corpus.open`."""

    path: Path
    vocabulary: Vocabulary
    contigs: pd.DataFrame
    counts: Counts
    provenance: Mapping[str, Any]
    stream: np.ndarray

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the tables of a corpus and memory-map its tokens.

        Raises
        ------
        InputError : the file is missing, damaged, or not a corpus.
        """
        try:
            with h5py.File(path, "r", locking=False) as file:
                known = json.loads(file.attrs[METADATA_KEY])
                contigs, dataset = file["contigs"][:], file["tokens"]
                offset, shape, dtype = dataset.id.get_offset(), dataset.shape, dataset.dtype
        except (OSError, KeyError) as error:
            raise InputError(f"{path}: not a readable corpus ({error}); make it with bindgram tokenize") from None
        if offset is None:
            raise InputError(f"{path}: its tokens are compressed or chunked; make it with bindgram tokenize")
        stream = np.memmap(path, dtype, mode="r", offset=offset, shape=shape)
        frame = pd.DataFrame({name: contigs[name] for name in CONTIG_COLUMNS})
        frame = frame.assign(**{name: frame[name].str.decode("utf-8") for name in ("chrom", "split")})
        vocabulary = Vocabulary.from_json(known["vocabulary"])
        if not frame.equals(_place(frame, vocabulary)):
            raise InputError(f"{path}: its contigs are laid out otherwise than here; make it with bindgram tokenize")
        return cls(Path(path), vocabulary, frame, known["counts"], known["provenance"], stream)

    def tokens(self, split: str) -> np.ndarray:
        """Memory-mapped tokens of ``train`` or ``valid``: (tokens,)."""
        assert split in CORPUS_SPLITS, split
        n_train = self.counts["train"]["n_tokens"]
        return self.stream[:n_train] if split == "train" else self.stream[n_train:]


def stream_of_sequences(codes: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Turn N sequences, codes (N, L), into one stream of tokens as in a corpus, each sequence a contig."""
    single, stride = vocabulary.at_every_base, vocabulary.stride
    rows = np.full((len(codes), stride + single.n_tokens(codes.shape[1])), BOS, vocabulary.dtype)
    rows[:, stride:] = single.encode(codes)
    return rows.ravel()
