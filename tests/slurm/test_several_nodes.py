"""One language model pretrained on two nodes at a time: cancelled in the middle, it goes on to the end."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import stories
from cluster import Cluster, slurm

pytestmark = pytest.mark.slurm
CORPUS = "results/corpus/toy.blocks.k3s1.h5"


@pytest.fixture(scope="module")
def two_nodes(
    cluster: Cluster, make_tiny_project: Callable[[Path], Path], repository: Path, tmp_path_factory
) -> stories.Fault:
    folder = stories.prepare(make_tiny_project(tmp_path_factory.mktemp("two_nodes") / "project"), repository)
    folder.edit_yaml("config/config.yaml", lambda config: config.update(pretraining={"nodes": 2, "gpus_per_node": 1}))
    folder.edit_yaml("config/lms/tiny.yaml", lambda lm: lm["pretrain"].update(epochs=2))
    made = folder.start(CORPUS, cluster=False)
    assert made.wait() == 0, made.text
    os.environ["MASTER_ADDR"] = "127.0.0.1"  # the names of these nodes are known to SLURM only
    try:
        driver = folder.start(f"{stories.LM_BUNDLE}/{stories.WEIGHTS}", *stories.GPU_PARTITION)
        driver.wait_until(lambda: len(stories.STEP.findall(folder.read(stories.LM_LOG))) > 2, "pretraining")
        job = folder.running_job(cluster, "pretrain_language_model")["JobId"]
        slurm("scancel", job)
        driver.wait_until(lambda: cluster.jobs()[job]["JobState"] == "CANCELLED", "the job's end")
        log = folder.read(stories.LM_LOG)
        status = driver.wait()
    finally:
        del os.environ["MASTER_ADDR"]
    return stories.Fault(folder, status, driver.text, folder.jobs(cluster), log, folder.read(stories.LM_LOG))


def test_a_language_model_trains_on_two_nodes_each_with_a_gpu(two_nodes):
    assert two_nodes.status == 0, two_nodes.output
    job = two_nodes.jobs[-1]
    assert job["JobState"] == "COMPLETED"
    assert (job["NumNodes"], job["NumTasks"]) == ("2", "2")
    assert job["TresPerNode"] == "gres:gpu:1"
    for rank in range(2):
        assert re.search(rf"rank {rank} of 2 on \S+: device: ", two_nodes.last_log)
    metrics = json.loads((two_nodes.folder.root / stories.LM_BUNDLE / "config.json").read_text())["metrics"]
    assert metrics["valid_nats_per_base"] < 1.5


def test_a_cancelled_training_on_two_nodes_saves_and_goes_on(two_nodes):
    assert [job["JobState"] for job in two_nodes.jobs] == ["CANCELLED", "COMPLETED"]
    assert "SIGTERM: training stops" in two_nodes.log
    (resumed,) = (int(step) for step in stories.RESUMED_STEP.findall(two_nodes.last_log))
    assert resumed >= max(int(step) for step in stories.STEP.findall(two_nodes.log))
