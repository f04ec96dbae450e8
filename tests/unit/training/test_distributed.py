"""Several ranks train what one does, stop together and go on exactly. As a script, this file is one of the ranks."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from bindgram.errors import InputError
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile
from bindgram.training import distributed, stages
from bindgram.training.checkpoints import Checkpoints, Interrupted
from bindgram.training.device import choose_device
from bindgram.training.distributed import ALONE, World, find_world, first_host, joined

CPU = torch.device("cpu")
N_RANKS = 2
ADAMW = {
    "name": "adamw",
    "learning_rate": 1e-2,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "warmup": 0.3,
    "momentum": None,
    "clip_norm": 0.1,
    "nonmonotone_checks": None,
}
NT_ASGD = ADAMW | {
    "name": "nt_asgd",
    "learning_rate": 20.0,
    "schedule": "constant",
    "warmup": None,
    "nonmonotone_checks": 1,
}
SGD = NT_ASGD | {"name": "sgd", "learning_rate": 1.0, "clip_norm": None, "nonmonotone_checks": None}
NO_DROPOUT = {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0, "output": 0.0}
DROPOUT = {"embedding": 0.1, "input": 0.1, "weight": 0.2, "hidden": 0.1, "output": 0.1}
STAGE = {
    "optimizer": ADAMW,
    "dropout": NO_DROPOUT,
    "batch_size": 8,
    "accumulation": 1,
    "bptt": 7,
    "variable_bptt": True,
    "epochs": 2,
    "max_tokens": None,
    "validate_every": 5,
    "max_valid_tokens": 700,
    "reverse_complement": True,
    "precision": "32-true",
}
LM = {
    "vocabulary": {"k": 2, "stride": 1},
    "direction": "forward",
    "encoder": {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2},
    "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
    "adapt": None,
}
REGULARISED = {"objective": {"name": "next_token", "ar": 2.0, "tar": 1.0}}
# Name to (language model, stage, bases that are N, so that ranks score different numbers of k-mers).
TRAININGS = {
    "adamw": ({}, {}, range(30, 36)),
    "penalties": (REGULARISED, {"optimizer": SGD, "epochs": 1}, range(20, 60)),
    "nt_asgd in parts": (REGULARISED, {"optimizer": NT_ASGD, "accumulation": 2, "validate_every": 2}, ()),
    "masked": ({"objective": {"name": "masked", "fraction": 0.2, "span": 2}}, {"accumulation": 2}, ()),
    "one strand, bfloat16": ({}, {"reverse_complement": False, "precision": "bf16-mixed", "epochs": 1}, ()),
}
CHECKS = (3, 7, 16)  # looks for a signal at which rank 1 gets one; there are about 25


class Corpus:
    vocabulary = Vocabulary(2, 1)

    def __init__(self, unknown=()):
        self.provenance = {"digest": f"c{list(unknown)}"}
        self.unknown = list(unknown)

    def tokens(self, split):
        codes = np.random.default_rng(len(split)).integers(0, 4, 200 if split == "train" else 800).astype(np.uint8)
        codes[self.unknown] = 4
        return self.vocabulary.encode(codes)


def trained(lm, stage, unknown, checkpoints, device=CPU):
    settings = LanguageModelFile.model_validate(LM | lm | {"pretrain": STAGE | stage})
    return stages.pretrain(settings, Corpus(unknown), device=device, seed=1, revision=1, checkpoints=checkpoints)


def with_dropout(checkpoints, device=CPU):
    return trained(REGULARISED, {"dropout": DROPOUT}, (), checkpoints, device)


class StoppedAt(Checkpoints):
    """Checkpoints of a process that gets a signal just before its training looks for one for the n-th time."""

    def __init__(self, folder, world, n_checks):
        super().__init__(folder, 1000.0, world)
        self.n_checks, self.n_done = n_checks, 0

    def check(self):
        self.n_done += 1
        if self.n_done == self.n_checks:
            os.kill(os.getpid(), signal.SIGTERM)
        super().check()


def be_a_rank(folder, device):
    """What each of two processes does; rank 0 writes what came of it. In the end rank 1 dies."""
    world = find_world()
    chosen = choose_device(device, 1, world)
    try:
        with joined(world, chosen):
            found = train_together(world, folder, chosen)
            if not world.leads:
                os._exit(3)
            torch.save(found, folder / "found.pt")
            world.wait()
    except InputError as error:
        (folder / "lost.txt").write_text(str(error))


def train_together(world, folder, device):
    found = {"exact": [], "stopped": []}
    for name, (lm, stage, unknown) in TRAININGS.items():
        bundle = trained(lm, stage, unknown, Checkpoints(None, None, world), device)
        found[name] = (bundle.state, bundle.log.to_dict("records"), bundle.metrics)
    expected = with_dropout(Checkpoints(None, None, world), device)
    for n_checks in CHECKS:
        found["stopped"].append(stopped(folder / f"c{n_checks}", world, n_checks, device))
        with Checkpoints(folder / f"c{n_checks}", 1000.0, world) as checkpoints:
            resumed = with_dropout(checkpoints, device)
        same = all(torch.equal(resumed.state[name], values) for name, values in expected.state.items())
        found["exact"].append(same and resumed.log.equals(expected.log))
    stopped(folder / "half", world, 8, device)
    found["seeds"] = len(set(world.everyone(world.seed(1))))
    return found


def stopped(folder, world, n_checks, device):
    """Exit status of a training of which rank 1 gets a signal."""
    with StoppedAt(folder, world, n_checks if world.rank == 1 else None) as checkpoints:
        try:
            with_dropout(checkpoints, device)
        except Interrupted as interrupted:
            return interrupted.code
    return 0


def rank_environment(rank, port):
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": N_RANKS, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return {name: str(value) for name, value in names.items()}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_ranks(folder, device):
    """Let two processes be ranks, which fill a folder; what they said."""
    port = free_port()
    ranks = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder), device],
            env=os.environ | rank_environment(rank, port) | {"OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(N_RANKS)
    ]
    try:
        said = [rank.communicate(timeout=250)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 3], said
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the two ranks have written."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "said.json").write_text(json.dumps(start_ranks(folder, "cpu")))
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return torch.load(folder / "found.pt", weights_only=False)


@pytest.mark.parametrize("name", TRAININGS)
def test_ranks_and_parts_of_batches_change_neither_losses_nor_weights(name, found):
    lm, stage, unknown = TRAININGS[name]
    alone = trained(lm, stage | {"accumulation": 1}, unknown, Checkpoints())
    state, log, metrics = found[name]
    rough = "bfloat16" in name  # where AdamW makes steps of one size from gradients that are rounding errors
    for tensor, values in alone.state.items():
        assert rough or torch.allclose(state[tensor], values, atol=1e-5, rtol=0), tensor
    for row, expected in zip(log, alone.log.to_dict("records"), strict=True):
        assert row == pytest.approx(expected, abs=1e-2 if rough else 1e-5)
    assert metrics["averaged"] is alone.metrics["averaged"] is (name == "nt_asgd in parts")


def test_parts_of_a_batch_on_one_rank_change_neither_losses_nor_weights():
    stages = ({"optimizer": SGD, "accumulation": n} for n in (1, 4))
    whole, parts = (trained(REGULARISED, stage, range(20, 60), Checkpoints()) for stage in stages)
    for tensor, values in whole.state.items():
        torch.testing.assert_close(parts.state[tensor], values, atol=1e-5, rtol=0)


def test_a_signal_to_one_rank_stops_all_and_they_go_on_to_the_same_bits(found):
    assert found["stopped"] == [128 + signal.SIGTERM] * len(CHECKS)
    assert found["exact"] == [True] * len(CHECKS)


def test_a_checkpoint_of_two_ranks_is_gone_on_from_by_one_which_says_what_differs(folder, capsys):
    with Checkpoints(folder / "half", 1000.0) as checkpoints:
        bundle = with_dropout(checkpoints)
    said = capsys.readouterr().err
    assert "goes on from its checkpoint after step" in said
    assert "the checkpoint is of 2 GPU(s), now there are 1" in said
    assert np.isfinite(bundle.log["valid_nats_per_base"]).all()


def test_ranks_draw_different_random_numbers_and_one_speaks(folder, found):
    assert found["seeds"] == N_RANKS
    first, second = json.loads((folder / "said.json").read_text())
    assert "steps of 8 x 7 tokens on 2 x CPU" in first
    assert "SIGTERM: training stops" in first
    assert re.fullmatch(r"rank 1 of 2 on \S+: device: CPU, 1 threads\n", second)


def test_a_rank_whose_fellow_dies_says_so(folder):
    assert "rank 0 of 2 has lost another rank, whose own message says why" in (folder / "lost.txt").read_text()


def test_shares_are_disjoint_equal_and_cover_all():
    shares = [list(range(10))[World(rank, 3).share(10)] for rank in range(3)]
    assert shares == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert ALONE.share(7) == slice(0, 7)


def test_a_batch_that_ranks_cannot_share_equally_is_refused_with_the_nearest_that_can():
    settings = LanguageModelFile.model_validate(LM | {"pretrain": STAGE | {"batch_size": 16, "accumulation": 2}})
    message = settings.pretrain.why_not_equal(3)
    assert message == (
        "batch_size: must be a multiple of 12 (3 GPUs; accumulation 2; reverse_complement, half on each strand), "
        "such as 12 or 24 (got 16)"
    )
    assert settings.pretrain.why_not_equal(4) == ""


@pytest.mark.parametrize(
    ("environment", "world"),
    [
        ({}, ALONE),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}, World(3, 4, 1)),
        # a job's batch script, and a step of one task in a job of four
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, ALONE),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, ALONE),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "0"}, World(2, 4, 0)),
        # torchrun within a job step
        (
            {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
            World(1, 2, 1),
        ),
    ],
)
def test_the_world_is_what_torchrun_or_srun_says(environment, world):
    assert find_world(environment) == world


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"RANK": "one", "WORLD_SIZE": "2", "LOCAL_RANK": "0"},
        {"RANK": "2", "WORLD_SIZE": "2", "LOCAL_RANK": "0"},
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(environment):
    with pytest.raises(InputError, match=r"environment: .*rank|environment: RANK="):
        find_world(environment)


def test_ranks_that_do_not_meet_say_where_and_what_to_look_at(monkeypatch):
    monkeypatch.setattr(distributed, "MEETING", timedelta(seconds=1))
    monkeypatch.delenv("RANK", raising=False)
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(InputError, match=r"rank 1 of 2 on \S+ did not meet the others within .* \(tcp://127\.0\.0\.1:"),
        joined(World(1, 2, 1), CPU),
    ):
        pass


def test_the_ranks_of_an_srun_meet_at_its_first_node_unless_told_otherwise():
    step = {"SLURM_STEP_NODELIST": "gpu[3-4]", "SLURM_JOB_ID": "1234567", "SLURM_STEP_ID": "1"}
    address = distributed.meeting_place(World(1, 2), step)
    assert address == "tcp://gpu3:21970?rank=1&world_size=2"
    other = distributed.meeting_place(World(1, 2), step | {"MASTER_ADDR": "10.0.0.3", "MASTER_PORT": "9"})
    assert other == "tcp://10.0.0.3:9?rank=1&world_size=2"
    assert distributed.meeting_place(World(1, 2), step | {"RANK": "1"}) == "env://"


@pytest.mark.parametrize(
    ("devices", "problem"),
    [
        (["a cpu", "b cpu"], ""),
        (["a cuda:1", "b cuda:1", "a cuda:2"], ""),
        (["a cuda:1", "b cpu"], "rank 1 on b has no GPU, others have"),
        (["a cuda:1", "a cuda:2", "a cuda:1"], "ranks 0 and 2 on a have the same GPU; ask for as many GPUs"),
    ],
)
def test_ranks_need_a_gpu_each_or_none(devices, problem):
    found = distributed.device_problem(devices)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node7", "node7"),
        ("a,b", "a"),
        ("gpu[03-05,9],login", "gpu03"),
        ("r[2,4]n[10-12]-ib,x", "r2n10-ib"),
    ],
)
def test_first_host_of_a_list_of_slurm(nodes, first):
    assert first_host(nodes) == first


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < N_RANKS, reason="needs two GPUs")
def test_ranks_on_two_gpus_train_what_two_on_the_cpu_do(found, tmp_path):
    start_ranks(tmp_path, "cuda")
    on_gpus = torch.load(tmp_path / "found.pt", weights_only=False)
    for row, expected in zip(on_gpus["adamw"][1], found["adamw"][1], strict=True):
        assert row == pytest.approx(expected, abs=1e-3)
    assert on_gpus["stopped"] == found["stopped"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_parts_of_a_batch_in_float16_change_the_losses_by_rounding_only():
    stage = {"precision": "16-mixed", "max_tokens": 300}
    logs = [
        trained({}, stage | {"accumulation": n}, (), Checkpoints(), torch.device("cuda")).log.to_dict("records")
        for n in (1, 2)
    ]
    for row, expected in zip(*logs, strict=True):
        assert row == pytest.approx(expected, abs=1e-2)


if __name__ == "__main__":
    be_a_rank(Path(sys.argv[1]), sys.argv[2])
