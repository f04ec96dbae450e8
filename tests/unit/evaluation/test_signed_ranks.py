import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from bindgram.evaluation.signed_ranks import (
    compare_signed_ranks,
    hodges_lehmann,
    least_for_interval,
    rank_biserial,
    signed_rank_distribution,
    wilcoxon_p_value,
)

# Depression scale factors of nine patients before and after treatment: Hollander and Wolfe 1973, table 3.1.
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])


def test_hodges_lehmann_by_hand():
    """Walsh averages of 1, 2, 6: 1, 1.5, 2, 3.5, 4, 6."""
    assert hodges_lehmann(np.array([1.0, 2, 6]), 0.95) == (2.75, None, None)
    assert hodges_lehmann(np.array([1.0, 2, 6]), 0.75) == (2.75, 1.0, 6.0)  # each end has a chance of 1/8


def test_estimate_interval_and_test_of_the_text_book():
    estimate, low, high = hodges_lehmann(BEFORE - AFTER, 0.95)
    assert (estimate, low, high) == pytest.approx((0.46, 0.010, 0.786), abs=5e-4)
    assert wilcoxon_p_value(BEFORE - AFTER) / 2 == pytest.approx(0.01953, abs=5e-6)


def test_distribution_of_the_signed_rank_sum_is_that_of_all_signs():
    for n in (1, 2, 5, 8):
        sums = [sum(rank for rank, up in enumerate(signs, 1) if up) for signs in itertools.product((0, 1), repeat=n)]
        assert np.allclose(signed_rank_distribution(n), np.bincount(sums) / 2**n, atol=1e-15, rtol=0)


def test_least_number_for_an_interval():
    assert least_for_interval(0.95) == 6
    assert least_for_interval(0.75) == 3
    rng = np.random.default_rng(0)
    for confidence in (0.5, 0.8, 0.9, 0.95, 0.99):
        needed = least_for_interval(confidence)
        assert hodges_lehmann(rng.normal(size=needed), confidence)[1] is not None
        assert hodges_lehmann(rng.normal(size=needed - 1), confidence)[1] is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(6, 30))
def test_interval_holds_the_shifts_that_the_exact_test_does_not_refuse(seed, n):
    differences = np.random.default_rng(seed).normal(size=n)
    _, low, high = hodges_lehmann(differences, 0.95)
    for shift, refused in ((low - 1e-9, True), (low + 1e-9, False), (high - 1e-9, False), (high + 1e-9, True)):
        assert (wilcoxon(differences - shift, method="exact").pvalue <= 0.05) == refused


def test_interval_covers_in_simulation():
    rng = np.random.default_rng(1)
    bounds = [hodges_lehmann(rng.standard_t(3, size=20), 0.95)[1:] for _ in range(1000)]
    assert np.mean([low <= 0 <= high for low, high in bounds]) == pytest.approx(0.95, abs=0.02)


def test_rank_biserial_by_hand():
    """Ranks of 3, -1, 2, -4 are 3, 1, 2, 4: (5 - 5) / 10; of 3, -1, 2: (5 - 1) / 6; ties share 1.5."""
    assert rank_biserial(np.array([3.0, -1, 2, -4])) == 0
    assert rank_biserial(np.array([3.0, -1, 2])) == pytest.approx(4 / 6)
    assert rank_biserial(np.array([1.0, -1, 2, 0])) == pytest.approx((1.5 + 3 - 1.5) / 6)
    assert rank_biserial(np.array([0.1, 5.0])) == 1
    assert rank_biserial(np.zeros(3)) == 0


def test_rank_biserial_is_that_of_scipys_statistic():
    differences = np.random.default_rng(2).normal(0.3, size=40)
    total = 40 * 41 / 2
    positive = wilcoxon(differences, alternative="greater").statistic
    assert rank_biserial(differences) == pytest.approx((2 * positive - total) / total)


def test_swapping_models_flips_all_signs():
    differences = np.random.default_rng(3).normal(0.2, size=15)
    one, other = compare_signed_ranks(differences, 0.95), compare_signed_ranks(-differences, 0.95)
    assert (one.median, one.hodges_lehmann, one.low, one.high, one.rank_biserial) == pytest.approx(
        (-other.median, -other.hodges_lehmann, -other.high, -other.low, -other.rank_biserial)
    )
    assert one.p_value == other.p_value


def test_no_or_few_differences_are_not_defined_with_the_reason():
    assert compare_signed_ranks(np.empty(0), 0.95).undefined == "not defined: no difference is known"
    few = compare_signed_ranks(np.array([1.0, 2, 3, 4, 5]), 0.95)
    assert (few.low, few.high) == (None, None)
    assert few.undefined == "not defined: an interval of 95% needs 6 values, not 5"
    assert few.p_value == pytest.approx(2 / 32)


def test_no_difference_at_all_is_no_evidence():
    same = compare_signed_ranks(np.zeros(8), 0.95)
    assert (same.hodges_lehmann, same.low, same.high, same.p_value, same.rank_biserial) == (0, 0, 0, 1, 0)
