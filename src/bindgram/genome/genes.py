"""Genes: transcription start sites from a GTF or GFF3 file, and distances to them.

A *transcription start site* (TSS) is the first base of a gene or transcript on its own strand: one bp, as a BED region.
GTF and GFF3 count from 1 and include the end: https://github.com/The-Sequence-Ontology/Specifications (gff3.md)
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.genome.text import text_lines

GENE_TYPES = frozenset({"gene", "ncRNA_gene", "pseudogene", "transcript", "mRNA"})  # of column 3; exons begin elsewhere
_NAME = re.compile(r'(?:^|[;\s])(?:gene_name|gene_id|Name|ID)[ =]"?([^";]+)')
Site = tuple[str, int, str, str]  # chrom, position, strand, name


def read_tss(path: Path) -> tuple[list[Site], int]:
    """Read the transcription start sites of all genes and transcripts of a GTF or GFF3 file, gzip or not.

    Returns
    -------
    Sites sorted by chrom (as text) and position, each once, with a gene's name; and the number of genes and transcripts
    without a strand, whose start is not known.

    Raises
    ------
    InputError : a line that is no feature, with its number, or a file without genes or transcripts.
    """
    names: dict[tuple[str, int, str], str] = {}
    n_rows = n_unstranded = 0
    for number, cells in _feature_lines(path):
        start, end = _coordinates(path, number, cells)
        n_rows += 1
        if cells[6] not in ("+", "-"):
            n_unstranded += 1
            continue
        name = _NAME.search(cells[8])
        names.setdefault((cells[0], start - 1 if cells[6] == "+" else end - 1, cells[6]), name[1] if name else ".")
    if not n_rows:
        raise InputError(f"{path}: no gene, transcript or mRNA in column 3; give a GTF or GFF3 file of genes")
    return [(*site, name) for site, name in sorted(names.items())], n_unstranded


def tss_lines(sites: list[Site]) -> Iterator[str]:
    """Lines of a BED file with six columns; the score is 0."""
    for chrom, position, strand, name in sites:
        yield f"{chrom}\t{position}\t{position + 1}\t{name}\t0\t{strand}\n"


def nearest_site(regions: pd.DataFrame, sites: pd.DataFrame) -> np.ndarray:
    """Distance in bp from the middle of each region to the nearest site: (N,), -1 where its chromosome has none.

    Parameters
    ----------
    sites : regions of 1 bp. The middle of a region is base ``(start + end) // 2``.
    """
    distances = np.full(len(regions), -1, np.int64)
    positions_of = {chrom: np.sort(rows.to_numpy(np.int64)) for chrom, rows in sites.groupby("chrom")["start"]}
    chroms = regions["chrom"].to_numpy(object)
    middles = (regions["start"].to_numpy(np.int64) + regions["end"].to_numpy(np.int64)) // 2
    for chrom in set(chroms) & set(positions_of):
        here = chroms == chrom
        positions, points = positions_of[chrom], middles[here]
        after = np.searchsorted(positions, points).clip(max=len(positions) - 1)
        before = (after - 1).clip(min=0)
        distances[here] = np.minimum(np.abs(positions[after] - points), np.abs(points - positions[before]))
    return distances


def _feature_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number, nine cells)`` of genes and transcripts; a FASTA part at the end of a GFF3 is not read."""
    for number, line in enumerate(text_lines(path), start=1):
        if line.startswith("##FASTA") or line.startswith(">"):
            return
        if not line or line.startswith(("#", "track ", "browser ")):
            continue
        cells = line.split("\t", 8)
        if len(cells) < 9:
            raise InputError(
                f"{path}:{number}: {len(cells)} column(s) where GTF and GFF3 have 9, separated by tabs; check the "
                "column genes of the sheet of assemblies"
            )
        if cells[2] in GENE_TYPES:
            yield number, cells


def _coordinates(path: Path, number: int, cells: list[str]) -> tuple[int, int]:
    start, end = (int(cell) if cell.isascii() and cell.isdigit() else 0 for cell in cells[3:5])
    if not 1 <= start <= end:
        raise InputError(
            f"{path}:{number}: start {cells[3]!r} and end {cells[4]!r} are no region; GTF and GFF3 count from 1"
        )
    return start, end
