"""Libraries of known motifs: taken out of a JASPAR release, or read from a file, and written in the MEME text format.

A *motif* is a matrix of base probabilities under the name of its factor. A library is one file, so that every step
that scans for motifs or compares with them reads the same.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np

from bindgram.errors import InputError
from bindgram.genome.text import text_lines
from bindgram.provenance import write_text

BASES = "ACGT"
COLLECTION = "CORE"
DIGITS = 6  # of a probability in a library
UNKNOWN_SITES = 20.0  # where a file does not say how many, as MEME has it
_SUM_TOLERANCE = 0.05  # of the probabilities of a position, as far as they are rounded in published files
_VARIANT = re.compile(r"\(var\.\d+\)$")  # of a name in releases before JASPAR 2022
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, eq=False)
class Motif:
    """A known motif; `probabilities` is (W, 4) in the order A, C, G, T, each position summing up to 1."""

    name: str  # accession, such as MA0139.2
    tf: str  # factor, such as CTCF; a dimer is MAX::MYC
    probabilities: np.ndarray
    n_sites: float = UNKNOWN_SITES  # that it was counted from

    @property
    def label(self) -> str:
        """Accession and factor, once where they are the same."""
        return self.name if self.name == self.tf else f"{self.name} {self.tf}"

    @cached_property
    def factors(self) -> frozenset[str]:
        """The factors that it belongs to, in lower case: both of a dimer."""
        return frozenset(_VARIANT.sub("", part).casefold() for part in self.tf.split("::"))


def information(probabilities: np.ndarray) -> np.ndarray:
    """Bits (W,) at each position of a matrix (W, 4), against equal shares of the bases."""
    return 2.0 + (probabilities * np.log2(np.clip(probabilities, 1e-12, None))).sum(axis=1)


def motifs_of(motifs: Iterable[Motif], tf: str) -> list[Motif]:
    """Motifs of a factor, by its whole name, upper and lower case being the same; a dimer belongs to both factors."""
    return [motif for motif in motifs if tf.casefold() in motif.factors]


def no_motif(tf: str, library: str) -> str:
    """Why a result that needs the motif of a factor is not defined."""
    return f"not defined: no motif of {tf} in {library}"


def jaspar_motifs(release: str, tax_groups: Sequence[str]) -> list[Motif]:
    """The latest version of every motif in the collection CORE of a JASPAR release, as pyjaspar ships it, by accession.

    Parameters
    ----------
    release : such as JASPAR2026.
    tax_groups : such as vertebrates; empty means all.

    Raises
    ------
    InputError : the installed pyjaspar has no such release, or the groups no motif in it.

    References
    ----------
    JASPAR 2026: https://pmc.ncbi.nlm.nih.gov/articles/PMC12807658; pyjaspar: https://github.com/asntech/pyjaspar.
    """
    import pyjaspar

    if release not in pyjaspar.jaspar_releases:
        raise InputError(
            f"motifs.library: {release!r} is no JASPAR release of pyjaspar {pyjaspar.__version__}; it has "
            f"{', '.join(pyjaspar.jaspar_releases)}"
        )
    database = pyjaspar.jaspardb(release=release)
    with closing(database.conn), warnings.catch_warnings(action="ignore"):  # that nothing was found is said below
        found = database.fetch_motifs(collection=COLLECTION, tax_group=list(tax_groups) or None, all_versions=False)
    if not found:
        raise InputError(f"motifs.tax_groups: {release} has no motif of {', '.join(tax_groups)}; give other groups")
    return sorted((_from_jaspar(motif) for motif in found), key=lambda motif: _by_number(motif.name))


def _from_jaspar(motif: object) -> Motif:
    counts = np.array([motif.counts[base] for base in BASES], dtype=np.float64).T
    return Motif(motif.matrix_id, _one_word(motif.name), _shares(counts), float(np.median(counts.sum(axis=1))))


def _one_word(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip())


def _by_number(name: str) -> tuple[str, ...]:
    """Order of accessions: MA0139.2 before MA0139.10 before MA1000.1."""
    return tuple(part.zfill(12) if part.isdigit() else part for part in re.split(r"(\d+)", name))


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / counts.sum(axis=1, keepdims=True)


def write_motifs(path: Path, motifs: Iterable[Motif]) -> None:
    """Write a library in the MEME text format, whole or not at all.

    References
    ----------
    https://meme-suite.org/meme/doc/meme-format.html
    """
    lines = ["MEME version 4", "", f"ALPHABET= {BASES}", "", "strands: + -", "", "Background letter frequencies"]
    lines += ["A 0.25 C 0.25 G 0.25 T 0.25", ""]
    for motif in motifs:
        names = motif.name if motif.name == motif.tf else f"{motif.name} {motif.tf}"
        lines.append(f"MOTIF {names}")
        lines.append(
            f"letter-probability matrix: alength= 4 w= {len(motif.probabilities)} nsites= {motif.n_sites:g} E= 0"
        )
        lines += [" ".join(f"{share:.{DIGITS}f}" for share in row) for row in motif.probabilities]
        lines.append("")
    write_text(path, "\n".join(lines))


def read_motifs(path: Path) -> list[Motif]:
    """Read a library: MEME text format or JASPAR's, plain or gzip, told apart by content.

    A motif's factor is the second name of its first line, or the only one.

    Raises
    ------
    InputError : names line and motif: neither format, no motif, a name given twice, not 4 numbers at a position, a
        negative number, probabilities that do not sum up to 1, counts of 0, rows of different length.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text_lines(path), start=1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise InputError(f"{path}: empty; give motifs in the MEME text format or JASPAR's")
    first = lines[0][1]
    if first.startswith("MEME version"):
        motifs = list(_meme_motifs(path, lines))
    elif first.startswith(">"):
        motifs = list(_jaspar_text_motifs(path, lines))
    else:
        raise InputError(
            f"{path}:{lines[0][0]}: {first[:40]!r} begins neither a MEME file ('MEME version 4') nor a JASPAR file "
            "('>MA0139.2 CTCF')"
        )
    if not motifs:
        raise InputError(f"{path}: no motif; a MEME file has a line 'MOTIF name' before each")
    seen: set[str] = set()
    for motif in motifs:
        if motif.name in seen:
            raise InputError(f"{path}: motif {motif.name} is given twice; names are unique")
        seen.add(motif.name)
    return motifs


def _meme_motifs(path: Path, lines: list[tuple[int, str]]) -> Iterator[Motif]:
    starts = [index for index, (_, line) in enumerate(lines) if line.split()[0] == "MOTIF"]
    for _, line in lines[: starts[0] if starts else None]:
        if line.startswith("ALPHABET") and line.partition("=")[2].strip() not in (BASES, ""):
            raise InputError(f"{path}: {line}: not the alphabet of DNA; it is ALPHABET= {BASES}")
    for start, end in pairwise([*starts, len(lines)]):
        number, line = lines[start]
        names = line.split()[1:3]
        if not names:
            raise InputError(f"{path}:{number}: MOTIF without a name; write 'MOTIF name factor'")
        yield _meme_motif(path, names, lines[start + 1 : end])


def _meme_motif(path: Path, names: list[str], lines: list[tuple[int, str]]) -> Motif:
    where = f"{path}: motif {names[0]}"
    header = next((i for i, (_, line) in enumerate(lines) if line.startswith("letter-probability matrix")), None)
    if header is None:
        raise InputError(f"{where}: has no line 'letter-probability matrix:'; only probabilities can be read")
    values = dict(re.findall(r"(\w+)\s*=\s*(\S+)", lines[header][1]))
    rows = []
    for number, line in lines[header + 1 :]:
        if not re.match(r"[-+.\d]", line):  # URL, or the next block of a full MEME file
            break
        rows.append(_numbers(path, number, names[0], line.split()))
    if not rows or values.get("w", str(len(rows))) != str(len(rows)):
        raise InputError(f"{where}: {len(rows)} row(s) of probabilities, and w= {values.get('w', '1 or more')}")
    if bad := next((row for row in rows if len(row) != len(BASES)), None):
        raise InputError(f"{where}: a row has {len(bad)} number(s); each has 4, for A, C, G and T")
    probabilities = np.array(rows)
    sums = probabilities.sum(axis=1)
    if (abs(sums - 1) > _SUM_TOLERANCE).any():
        position = int(np.argmax(abs(sums - 1)))
        raise InputError(f"{where}: the probabilities of position {position + 1} sum up to {sums[position]:g}, not 1")
    (n_sites,) = _numbers(path, lines[header][0], names[0], [values.get("nsites", str(UNKNOWN_SITES))])
    return Motif(names[0], names[-1], _shares(probabilities), n_sites)


def _jaspar_text_motifs(path: Path, lines: list[tuple[int, str]]) -> Iterator[Motif]:
    starts = [index for index, (_, line) in enumerate(lines) if line.startswith(">")]
    for start, end in pairwise([*starts, len(lines)]):
        number, line = lines[start]
        names = line[1:].split()[:2]
        if not names:
            raise InputError(f"{path}:{number}: '>' without a name; write '>name factor'")
        rows = [
            _jaspar_row(path, names[0], base, *item)
            for base, item in zip_longest(BASES, lines[start + 1 : end], fillvalue="")
            if item
        ]
        where = f"{path}: motif {names[0]}"
        if len(rows) != len(BASES) or len({len(row) for row in rows}) != 1 or not rows[0]:
            raise InputError(
                f"{where}: rows of {', '.join(str(len(row)) for row in rows) or 'no'} numbers; 4 rows of equal length "
                "are wanted, for A, C, G and T"
            )
        counts = np.array(rows).T
        if (counts.sum(axis=1) == 0).any():
            raise InputError(f"{where}: position {int(np.argmin(counts.sum(axis=1))) + 1} has no counts")
        yield Motif(names[0], names[-1], _shares(counts), float(np.median(counts.sum(axis=1))))


def _jaspar_row(path: Path, name: str, base: str, number: int, line: str) -> list[float]:
    """Counts of one base: ``A [ 1 2 3 ]``, or the numbers alone."""
    letter = re.match(r"([A-Za-z])\s*(?=[\[\s])", line)
    if letter and letter[1].upper() != base:
        raise InputError(
            f"{path}:{number}: motif {name}: row of {letter[1]}, not of {base or 'A, C, G or T'}; give A, C, G, T"
        )
    return _numbers(path, number, name, re.sub(r"[\[\]]", " ", line[letter.end() :] if letter else line).split())


def _numbers(path: Path, number: int, name: str, words: Sequence[str]) -> list[float]:
    for word in words:
        if not _NUMBER.fullmatch(word) or float(word) < 0:
            raise InputError(f"{path}:{number}: motif {name}: {word[:40]!r} is no number of 0 or more")
    return [float(word) for word in words]
