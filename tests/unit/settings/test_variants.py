import re

import pytest
from pydantic import ValidationError

from bindgram.settings.config import NegativesSettings
from bindgram.settings.variants import VARIANT, DataEfficiencySettings, n_of_variant, split_variant


def test_suffix_of_a_scheme_names_its_variant():
    assert split_variant("genomic_matched-n500") == ("genomic_matched", "n500")
    assert split_variant("half-and-half-permuted") == ("half-and-half", "permuted")
    for name in ("genomic_matched", "mix-n0", "mix-n05", "mix-500", "n500", "-n5"):
        assert split_variant(name) == (name, "")


def test_number_of_a_variant():
    assert n_of_variant("n500") == 500
    assert n_of_variant("permuted") is None
    assert n_of_variant("n0") is None
    assert re.fullmatch(VARIANT, "n1000")


@pytest.mark.parametrize("numbers", [[], [0], [500, 250], [250, 250]])
def test_numbers_rise_from_one(numbers):
    with pytest.raises(ValidationError):
        DataEfficiencySettings(positives=numbers)


def test_a_mixture_does_not_end_like_a_variant():
    with pytest.raises(ValidationError, match="ends like a variant"):
        NegativesSettings.model_validate({"mixtures": {"mix-permuted": {"neighbour": 1.0}}})
