"""What attribution methods give, and the shuffled sequences that some of them compare with."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from bindgram.sequence.dna import ALPHABET, AMBIGUOUS, one_hot
from bindgram.sequence.shuffles import shuffle_klets

ROUNDING = 1e-5  # logits; differences of scores below it are none


@dataclass(frozen=True)
class Attribution:
    """What a method says of N sequences.

    Attributes
    ----------
    values : (N, L, 4) hypothetical contributions, what each base would add if it stood at a place, for methods that
        give them (as motif discovery wants them); (N, L) otherwise; None where not defined.
    reason : "" or ``not defined: ...``.
    convergence_error : for methods whose attributions should sum to a difference of scores, how far they are off: the
        sum over sequences of the absolute error as a share of that of the differences; None for others.
    """

    values: np.ndarray | None
    reason: str = ""
    convergence_error: float | None = None

    @classmethod
    def not_defined(cls, why: str, convergence_error: float | None = None) -> Self:
        """An attribution that does not exist, and why."""
        return cls(None, f"not defined: {why}", convergence_error)

    @classmethod
    def converged(cls, values: np.ndarray, errors: np.ndarray, differences: np.ndarray, tolerance: float) -> Self:
        """An attribution whose sums missed `differences` of scores by `errors`; not defined if by too much.

        Scores that are equal but for rounding are explained by attributions of nothing.
        """
        if not (np.isfinite(errors).all() and np.isfinite(differences).all()):
            return cls.not_defined("the model gives scores that are no numbers")
        share = float(np.abs(errors).sum() / np.maximum(np.abs(differences), ROUNDING).sum())
        if share <= tolerance:
            return cls(values.astype(np.float32), "", share)
        return cls.not_defined(
            f"attributions miss the difference of scores that they should sum to by {share:.1%}, more than the "
            f"{tolerance:.1%} of convergence_tolerance",
            share,
        )

    @property
    def defined(self) -> bool:
        """Whether there are values."""
        return self.values is not None

    @property
    def hypothetical(self) -> np.ndarray | None:
        """(N, L, 4) hypothetical contributions; None where the method gives none."""
        return self.values if self.values is not None and self.values.ndim == 3 else None

    def importance(self, codes: np.ndarray) -> np.ndarray:
        """(N, L) attribution of the bases that stand in the sequences; 0 for an ambiguous one, where hypothetical."""
        assert self.values is not None, self.reason
        return (self.values * one_hot(codes)).sum(axis=2) if self.values.ndim == 3 else self.values


def shuffled_references(codes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Dinucleotide shuffles of each sequence: codes (N, L) to (N, n, L). Ambiguous bases stay where they are."""
    repeated = np.repeat(codes, n, axis=0)
    ambiguous = repeated == AMBIGUOUS
    drawn = rng.integers(len(ALPHABET), size=repeated.shape).astype(np.uint8)
    shuffled = shuffle_klets(np.where(ambiguous, drawn, repeated), 2, rng)
    return np.where(ambiguous, np.uint8(AMBIGUOUS), shuffled).reshape(len(codes), n, -1)
