"""Discovery, matching and verdict on real bound sequences, where the motif is known and nothing was planted."""

import gzip

import numpy as np
import pandas as pd
import pytest

from bindgram.data.motifs import jaspar_motifs
from bindgram.interpretation.discovery import discover
from bindgram.interpretation.matching import match_patterns, verdict_of
from bindgram.sequence.dna import codes_of, one_hot
from bindgram.settings.interpretation import DiscoverySettings, MatchingSettings

DISCOVERY = DiscoverySettings(
    method="ism",
    window_bp=15,
    flank_bp=5,
    pattern_bp=20,
    extension_bp=5,
    min_seqlets=20,
    min_pattern_seqlets=10,
    leiden_runs=2,
)
MATCHING = MatchingSettings(trim_bits=0.3, min_bp=5, min_bits=6.0, max_q_value=0.05, n_matches=5)
HALF, NEAR, N = 40, 7, 60  # bp around a site; bp that are called important; strongest sites


def sequences_around(folder, shift):
    """The strongest sites of Reb1 in yeast (ChIP-exo, 1 bp each), moved by so many bp."""
    with gzip.open(folder / "sacCer3/sacCer3.fa.gz", "rt") as file:
        text = file.read()
    records = (record.partition("\n") for record in text.split(">")[1:])
    genome = {name.split()[0]: bases.replace("\n", "").upper() for name, _, bases in records}
    sites = pd.read_csv(folder / "sacCer3/peaks_chipexo/Reb1.bed", sep="\t", header=None).sort_values(
        4, ascending=False, kind="stable"
    )
    places = ((genome[chrom], start + shift) for chrom, start in zip(sites[0], sites[1], strict=True))
    found = (bases[start - HALF : start + HALF + 1] for bases, start in places if start >= HALF)
    return [sequence for sequence in found if len(sequence) == 2 * HALF + 1 and set(sequence) <= set("ACGT")][:N]


@pytest.mark.realdata
@pytest.mark.parametrize(("shift", "recovered"), [(0, "yes"), (60, "no")])
def test_the_bases_under_real_sites_of_reb1_are_its_motif_and_those_beside_them_are_not(real_data, shift, recovered):
    codes = codes_of(sequences_around(real_data, shift))
    near = np.abs(np.arange(2 * HALF + 1) - HALF) <= NEAR
    hypothetical = (one_hot(codes) - 0.25) * near[:, None] + np.random.default_rng(1).normal(0, 0.02, (*codes.shape, 4))
    found = discover(codes, hypothetical, DISCOVERY)
    library = jaspar_motifs("JASPAR2026", ["fungi"])
    matches = match_patterns(found.patterns, library, MATCHING)
    assert len(codes) == N
    assert found.patterns
    verdict = verdict_of("Reb1", found, matches, library, "JASPAR2026", MATCHING)
    assert (verdict.recovered, verdict.known) == (recovered, "MA0363.3 REB1")
    assert verdict_of("CBF1", found, matches, library, "JASPAR2026", MATCHING).recovered == "no"
