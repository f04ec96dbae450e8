"""What a lack of memory says, on a CPU, and on a GPU by made-up numbers and by the real thing."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bindgram import cli
from bindgram.errors import InputError
from bindgram.training import scoring
from bindgram.training.memory import is_out_of_memory, memory_advice, parts_needed
from bindgram.training.scoring import score_strands

CPU = torch.device("cpu")
GB = 10**9


def allocate_on_the_cpu():
    torch.empty(2**60)


def fail_with(error):
    def fail():
        raise error

    return fail


NOT_ENOUGH = [
    allocate_on_the_cpu,
    lambda: np.empty(2**60, np.uint8),
    fail_with(MemoryError()),
    fail_with(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")),
    fail_with(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")),
]


@pytest.mark.parametrize("run", NOT_ENOUGH, ids=range(len(NOT_ENOUGH)))
def test_every_lack_of_memory_is_one_line_with_the_setting_and_how_much(run):
    model = torch.nn.Linear(2, 2)
    with (
        pytest.raises(InputError, match=r"^out of memory \(.*lower finetune.batch_size from 400 to 200, ") as told,
        memory_advice("finetune", 400, model, CPU),
    ):
        run()
    assert "\n" not in str(told.value)
    assert "accumulation" not in str(told.value)


def test_what_was_asked_for_is_told():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of ...")
    with (
        pytest.raises(InputError, match=re.escape("2.1 GB more were asked for")),
        memory_advice("x", 8, torch.nn.Linear(1, 1), CPU),
    ):
        raise error


def test_accumulation_is_advised_where_there_is_such_a_key_and_divides_the_batch():
    with (
        pytest.raises(
            InputError, match=r"set pretrain.accumulation from 2 to 4, .* or lower pretrain.batch_size from 800 to 400"
        ),
        memory_advice("pretrain", 800, torch.nn.Linear(1, 1), CPU, accumulation=2),
    ):
        raise MemoryError
    with (
        pytest.raises(InputError, match=r"adapt.accumulation from 2 to 5,"),  # 4 parts of 50 would not be whole
        memory_advice("adapt", 50, torch.nn.Linear(1, 1), CPU, accumulation=2),
    ):
        raise MemoryError


def test_other_errors_go_their_way():
    for error in (RuntimeError("shapes differ"), ValueError("x")):
        assert not is_out_of_memory(error)
        with pytest.raises(type(error), match=str(error)), memory_advice("x", 8, torch.nn.Linear(1, 1), CPU):
            raise error


@pytest.mark.parametrize(
    ("asked", "allocated", "free", "fixed", "expected"),
    [
        (5 * GB, 70 * GB, 10 * GB, 0, 2),  # 75 of 80 were needed so far: half at least
        (100 * GB, 60 * GB, 20 * GB, 10 * GB, 3),  # 150 beside the weights, 62 for them
        (1 * GB, 10 * GB, 0, 10 * GB, None),  # the weights alone
    ],
)
def test_parts_of_a_batch_by_hand(asked, allocated, free, fixed, expected):
    assert parts_needed(asked, allocated, free, fixed) == expected


class Greedy(torch.nn.Module):
    """A model that takes `most` sequences at a time."""

    def __init__(self, most):
        super().__init__()
        self.most, self.sizes = most, []

    def forward(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return batch.double()


class Numbers:
    def __len__(self):
        return 11

    def batch(self, rows, reverse, device):
        return torch.from_numpy(rows) + 100 * torch.from_numpy(reverse)


def test_scoring_goes_on_with_smaller_batches(monkeypatch, capsys):
    monkeypatch.setitem(scoring.EVAL_BATCH, "cpu", 8)
    model = Greedy(most=3)
    scores = score_strands(model, Numbers(), CPU)
    assert scores.tolist() == [list(range(11)), list(range(100, 111))]
    assert model.sizes == [8, 4, *[2] * 5, 1, *[2] * 5, 1]
    assert "to score 4 sequences at a time: 2 from now on" in capsys.readouterr().err


def test_scoring_of_one_sequence_that_does_not_fit_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        score_strands(Greedy(most=0), Numbers(), CPU)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried ...\nmore"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_a_command_without_such_a_setting_asks_for_more_memory(monkeypatch, capsys, error):
    monkeypatch.setattr(cli, "cli", SimpleNamespace(__call__=None))
    monkeypatch.setattr(cli, "cli", lambda standalone_mode: fail_with(error)())
    monkeypatch.setattr(cli, "_on_signals", lambda handler: None)
    monkeypatch.setattr(sys, "argv", ["bindgram", "score"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: out of memory (")
    assert said.count("\n") == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_is_full_is_told_by_name():
    device = torch.device("cuda")
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        with (
            pytest.raises(InputError, match=r"GB more were asked for.*set pretrain.accumulation from 1 to \d+") as told,
            memory_advice("pretrain", 800, torch.nn.Linear(2, 2), device, accumulation=1),
        ):
            torch.empty(torch.cuda.mem_get_info()[1] // 2, dtype=torch.uint8, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert torch.cuda.get_device_name(device) in str(told.value)
