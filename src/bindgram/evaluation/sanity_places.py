"""Sanity checks of windows on the genome: against raw peaks, blocks and blacklist by bedtools, sequences by pysam."""

import numpy as np
import pandas as pd

from bindgram.evaluation.sanity_case import Case, Check, Looked, Places, bedtools, by_table
from bindgram.provenance import step_rng
from bindgram.settings.splits import SPLITS

MOST_SEQUENCES = 20_000  # of an experiment that are compared with the FASTA, drawn by the seed


def _places(case: Case) -> Places:
    assert case.places is not None
    return case.places


def placed_rows(case: Case, *, positives: bool = True, negatives: bool = True) -> pd.DataFrame:
    """Rows with coordinates; see `Case.rows`."""
    rows = case.rows()
    wanted = (rows["label"] == 1) if positives else pd.Series(False, index=rows.index)
    if negatives:
        wanted |= rows["label"] == 0
    return rows[wanted & rows["chrom"].notna()].reset_index(drop=True)


def positives_on_peaks(case: Case) -> Looked:
    """Every positive overlaps a peak of the file."""
    rows = placed_rows(case, negatives=False)
    return by_table(rows, ~bedtools("intersect", rows, _places(case).peaks))


def summits_at_centres(case: Case) -> Looked:
    """Every positive has the summit of a peak at its centre (the midpoint of one where none is called)."""
    rows, peaks = placed_rows(case, negatives=False), _places(case).peaks
    middle = (peaks["start"] + peaks["end"]) // 2
    summit = (peaks["start"] + peaks["summit"]).where(peaks["summit"] >= 0, middle)
    centre = rows["start"] + (rows["end"] - rows["start"]) // 2
    looked, summits = (frame.assign(start=at, end=at + 1) for frame, at in ((rows, centre), (peaks, summit)))
    return by_table(rows, ~bedtools("intersect", looked, summits))


def _filters(case: Case) -> list[object]:
    return list(case.positives.provenance.get("settings", {}).get("filters", []))


def negatives_off_peaks(case: Case) -> Looked:
    """No negative comes within the exclusion distance of any peak."""
    rows, places = placed_rows(case, positives=False), _places(case)
    return by_table(rows, bedtools("window", rows, places.peaks, "-w", str(places.exclusion_bp)))


def negatives_off_positives(case: Case) -> Looked:
    """No negative overlaps a positive."""
    rows = placed_rows(case, positives=False)
    return by_table(rows, bedtools("intersect", rows, placed_rows(case, negatives=False)))


def off_blacklist(case: Case) -> Looked:
    """No negative touches the blacklist, nor a positive where they were filtered by it."""
    places = _places(case)
    rows = placed_rows(case, positives="blacklist" in _filters(case))
    if places.blacklist is None:
        return iter(())
    return by_table(rows, bedtools("intersect", rows, places.blacklist))


def inside_blocks(case: Case) -> Looked:
    """Every window lies inside its chromosome, and wholly inside one block of its split."""
    rows, places = placed_rows(case), _places(case)
    sizes = rows["chrom"].map(dict(places.chrom_sizes)).astype("float64").fillna(-1)
    bad = ((rows["start"] < 0) | (rows["end"] > sizes) | (rows["start"] >= rows["end"])).to_numpy(bool, copy=True)
    for split in SPLITS:
        ours = (rows["split"] == split).to_numpy(bool) & ~bad
        blocks = places.blocks[places.blocks["split"] == split]
        bad[ours] = ~bedtools("intersect", rows[ours], blocks, "-f", "1.0")
    return by_table(rows, bad | ~rows["split"].isin(SPLITS).to_numpy(bool))


def sequences_of_genome(case: Case) -> Looked:
    """Sequences are those of the FASTA, in upper case and with every ambiguous letter as N."""
    import pysam

    rows, places = placed_rows(case), _places(case)
    rng = step_rng(case.seed, "sanity", case.experiment)
    rows = rows.iloc[np.sort(rng.permutation(len(rows))[:MOST_SEQUENCES])].reset_index(drop=True)
    rows = rows.sort_values(["chrom", "start"], ignore_index=True)
    ambiguous, sizes = str.maketrans({letter: "N" for letter in "URYSWKMBDHVX"}), places.chrom_sizes
    columns = [rows[name] for name in ("chrom", "start", "end", "sequence")]
    with pysam.FastaFile(str(places.genome)) as fasta:
        bad = [
            chrom not in sizes or fasta.fetch(chrom, max(0, start), end).upper().translate(ambiguous) != text
            for chrom, start, end, text in zip(*columns, strict=True)
        ]
    return by_table(rows, np.array(bad, bool))


PLACE_CHECKS: dict[str, Check] = {
    "positives_on_peaks": positives_on_peaks,
    "summits": summits_at_centres,
    "negatives_off_peaks": negatives_off_peaks,
    "negatives_off_positives": negatives_off_positives,
    "blacklist": off_blacklist,
    "inside_blocks": inside_blocks,
    "sequences": sequences_of_genome,
}
