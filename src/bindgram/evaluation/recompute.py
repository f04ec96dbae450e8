"""Compute the metrics of a predictions table again, as the provenance of a metrics file says they were computed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.data.homology import read_homologs
from bindgram.evaluation.evaluate import Prevalence, evaluate_predictions, metrics_without
from bindgram.provenance import sha256_file


class Unknown(Exception):
    """Why metrics cannot be computed again from what is there."""


def recompute(
    frame: pd.DataFrame, metadata: Mapping[str, Any], provenance: Mapping[str, Any], battery: Path
) -> dict[str, Any]:
    """All that ``bindgram evaluate`` writes but the provenance.

    Parameters
    ----------
    frame, metadata : of `read_predictions`. provenance : of the metrics file.
    battery : folder of the test sets of the experiment, where the other inputs are.

    Raises
    ------
    Unknown : an input is not there, or is not the one that was used.
    """
    settings = provenance["settings"]
    if "prevalence" not in settings or "scale" not in metadata:
        made_by = f"evaluate revision {provenance.get('revision')}"
        raise Unknown(f"made by {made_by} of an older version, which recorded less: run bindgram evaluate again")
    given = (settings["replicates"], settings["confidence"], settings["max_block_bp"], provenance["seed"])
    known = {"scale": metadata["scale"], "prevalence": Prevalence(**settings["prevalence"])}
    values = evaluate_predictions(frame, metadata.get("skipped_test_sets", {}), *given, **known)
    if lists := [value for name, value in provenance["inputs"].items() if name.startswith("homologs")]:
        values |= metrics_without(frame, pd.concat([read_homologs(_find(value, battery)) for value in lists]))
    return values | {"status": metadata["status"], "reason": metadata["reason"]}


def _find(recorded: str, battery: Path) -> Path:
    """The list of homologs with a recorded digest."""
    paths = sorted(battery.glob("*homology.tsv"))
    for path in paths:
        if sha256_file(path) == recorded:
            return path
    raise Unknown(f"no list of homologs in {battery} is the one that was used ({len(paths)} there, digest {recorded})")
