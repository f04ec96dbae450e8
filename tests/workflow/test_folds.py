"""Several split files in one run: everything is made for each of them."""

import pytest
import yaml

pytestmark = pytest.mark.workflow


def test_everything_is_made_for_each_split(fresh_project):
    once = fresh_project.planned_jobs()
    split = yaml.safe_load((fresh_project.root / "config/splits/blocks.yaml").read_text())
    regions = split["assemblies"]["toy"]
    regions["test"], regions["valid"] = regions["valid"], regions["test"]
    regions["tiled"] = next(iter(regions["test"]))
    (fresh_project.root / "config/splits/swapped.yaml").write_text(yaml.safe_dump(split))
    fresh_project.edit("config/config.yaml", lambda text: text.replace("split: blocks", "split: [blocks, swapped]"))
    of_splits = {job for job in once if "blocks" in job}
    swapped = {tuple(word.replace("blocks", "swapped") for word in job) for job in of_splits}
    assert fresh_project.planned_jobs() == once | swapped
