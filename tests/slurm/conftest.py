"""The cluster, the undisturbed run to compare with, and the stories, which all play at the same time."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import stories as plots
from cluster import Cluster, running_cluster, why_not

NODES, CPUS, MEMORY, GPUS = 3, 4, 100_000, 4  # CPUs, MB and GPUs of each node, more than this machine has
FAULTS = {
    story.__name__: story
    for story in (
        plots.cancelled,
        plots.node_death,
        plots.too_little_memory,
        plots.asked_to_save,
        plots.out_of_time,
    )
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster(nodes=NODES, cpus=CPUS, memory=MEMORY, gpus=GPUS) as started:
        yield started


@pytest.fixture(scope="session")
def undisturbed(
    cluster: Cluster,
    make_tiny_project: Callable[[Path], Path],
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> plots.Folder:
    """The good experiments, run on this machine without SLURM; read only."""
    folder = plots.prepare(make_tiny_project(tmp_path_factory.mktemp("undisturbed") / "project"), repository)
    driver = folder.start(cluster=False)
    assert driver.wait() == 0, driver.text
    return folder


@pytest.fixture(scope="session")
def stories(
    cluster: Cluster,
    undisturbed: plots.Folder,
    make_tiny_project: Callable[[Path], Path],
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future]]:
    """What each story saw, by its name; a story that broke off raises its error in the test that asks for it."""
    root = tmp_path_factory.mktemp("stories")
    fresh = plots.prepare(make_tiny_project(root / "whole_run"), repository)
    with ThreadPoolExecutor(len(FAULTS) + 1) as pool:
        playing = {"whole_run": pool.submit(plots.whole_run, cluster, fresh)}
        for name, story in FAULTS.items():
            playing[name] = pool.submit(story, cluster, undisturbed.copy(root / name))
        yield playing
        plots.end_all()


@pytest.fixture(scope="session")
def fault(stories: dict[str, Future]) -> Callable[[str], plots.Fault]:
    """Outcome of a story with a single fault."""
    return lambda name: stories[name].result()


@pytest.fixture(scope="session")
def whole_run(stories: dict[str, Future]) -> plots.WholeRun:
    """Outcome of the story of all experiments."""
    return stories["whole_run"].result()
