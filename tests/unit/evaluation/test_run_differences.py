import pandas as pd
import pytest

from bindgram.data.examples import COLUMNS, ExampleTable, write_examples
from bindgram.errors import InputError
from bindgram.evaluation.run_differences import read_inputs


def test_inputs_are_those_that_the_producer_of_the_positives_recorded(tmp_path):
    table = ExampleTable(
        pd.DataFrame(columns=COLUMNS), "skipped", "few peaks", {"inputs": {"genome": "g", "peaks": "p"}}
    )
    write_examples(tmp_path / "f/E1.parquet", table)
    template = f"{tmp_path}/{{split}}/{{experiment}}.parquet"
    assert read_inputs(template, ["f"], ["E1", "absent"]) == {"E1": {"genome": "g", "peaks": "p"}}
    with pytest.raises(InputError, match="cannot be filled"):
        read_inputs("{model}", ["f"], ["E1"])
