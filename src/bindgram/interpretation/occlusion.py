"""Occlusion: how much a score falls when a stretch of the sequence is replaced.

References
----------
Zeiler, Fergus (2014), Visualizing and Understanding Convolutional Networks, https://arxiv.org/abs/1311.2901
"""

import numpy as np

from bindgram.evaluation.new_sequences import window_starts
from bindgram.interpretation.contributions import Attribution
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.sequence.dna import ALPHABET
from bindgram.settings.attribution import AttributionSettings, OcclusionSettings

CHUNK = 4096  # sequences made at a time


def occlusion(
    scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Mean fall of the score over the windows that cover a base, and over draws of what replaces them: (N, L).

    (captum's `Occlusion` and tangermeme's `ablate` know neither a window's own letters nor several draws of all
    windows at once.)
    """
    how, length = settings.occlusion, codes.shape[1]
    if how.window_bp > length:
        return Attribution.not_defined(
            f"a window of {how.window_bp} bp (occlusion.window_bp) is longer than the sequences, {length} bp"
        )
    starts = window_starts(length, how.window_bp, how.stride_bp)
    covers = (np.arange(length) >= starts[:, None]) & (np.arange(length) < starts[:, None] + how.window_bp)
    falls = []
    for rows in np.array_split(codes, -(-len(codes) * len(starts) * how.draws // CHUNK)):
        if len(rows):
            scores = scorer.score(occluded(rows, starts, how, rng).reshape(-1, length))
            falls.append(scorer.score(rows)[:, None] - scores.reshape(len(rows), len(starts), -1).mean(axis=2))
    return Attribution((np.concatenate(falls) @ covers / covers.sum(axis=0)).astype(np.float32))


def occluded(codes: np.ndarray, starts: np.ndarray, how: OcclusionSettings, rng: np.random.Generator) -> np.ndarray:
    """Sequences with each window replaced: codes (N, L) to (N, windows, draws, L)."""
    places = starts[:, None] + np.arange(how.window_bp)
    shape = (len(codes), len(starts), how.draws, how.window_bp)
    if how.fill == "random":
        inserts = rng.integers(len(ALPHABET), size=shape).astype(np.uint8)
    else:
        windows = np.broadcast_to(codes[:, places][:, :, None], shape)
        inserts = rng.permuted(windows, axis=3)
    made = np.broadcast_to(codes[:, None, None], (*shape[:3], codes.shape[1])).copy()
    np.put_along_axis(made, np.broadcast_to(places[None, :, None], shape), inserts, axis=3)
    return made
