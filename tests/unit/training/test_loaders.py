import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bindgram.sequence.dna import codes_of, reverse_complement
from bindgram.sequence.kmers import Vocabulary
from bindgram.training.loaders import LabelledSequences, Lanes, send, spread_lanes, step_lengths, target_mask

CPU = torch.device("cpu")


def test_lanes_read_the_stream_side_by_side_and_targets_are_one_ahead():
    lanes = Lanes(np.arange(20, dtype=np.uint8), Vocabulary(3, 1), n_lanes=2, bptt=4, reverse_complement=False)
    inputs, targets = lanes.step(1)
    assert lanes.n_steps == 2
    assert inputs.tolist() == [[4, 5, 6, 7], [14, 15, 16, 17]]
    assert targets.tolist() == [[5, 6, 7, 8], [15, 16, 17, 18]]


def lanes_of(epoch: int, lanes: Lanes) -> list[list[int]]:
    """What an epoch reads as input, lane by lane."""
    steps = [lanes.step(number, epoch)[0].numpy() for number in range(lanes.n_steps)]
    return np.concatenate(steps, axis=1).tolist()


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (4, 2), (6, 3), (5, 5)])
def test_lanes_read_every_phase_of_both_strands(k, stride):
    """Against tokenizing each strand of the sequence itself from the phase of the epoch on."""
    vocabulary = Vocabulary(k, stride)
    codes = np.random.default_rng(0).integers(0, 4, k - 1 + 100 * stride).astype(np.uint8)
    stream = vocabulary.at_every_base.encode(codes)
    lanes = Lanes(stream, vocabulary, n_lanes=4, bptt=10, reverse_complement=True)
    for epoch in range(2 * stride):
        read = lanes_of(epoch, lanes)
        forward, backward = (
            vocabulary.encode(strand[epoch % stride :]).tolist() for strand in (codes, reverse_complement(codes))
        )
        assert read == [forward[:40], forward[50:90], backward[:40], backward[50:90]]


@given(
    n_tokens=st.integers(20, 400),
    n_stretches=st.integers(1, 6),
    bptt=st.integers(1, 9),
    stride=st.integers(1, 4),
    world_size=st.integers(1, 6),
)
def test_processes_read_disjoint_stretches_and_together_what_one_process_reads(
    n_tokens, n_stretches, bptt, stride, world_size
):
    vocabulary = Vocabulary(5, stride)
    tokens = np.arange(3, 3 + n_tokens, dtype=np.uint16)
    alone = Lanes(tokens, vocabulary, 2 * n_stretches, bptt, reverse_complement=True)
    parts = [Lanes(tokens, vocabulary, 2 * n_stretches, bptt, True, rank, world_size) for rank in range(world_size)]
    assert {part.n_steps for part in parts} == {alone.n_steps}
    for number in range(alone.n_steps):
        rows = [part.step(number, 7)[0].tolist() for part in parts]
        assert sorted(row for part in rows for row in part) == sorted(alone.step(number, 7)[0].tolist())
    if alone.n_steps:
        table = vocabulary.reverse_complement_ids()
        places = []  # tokens as they stand in the stream, that any step of a process reads on either strand
        for part in parts:
            read = np.concatenate([part.step(number)[0].numpy() for number in range(alone.n_steps)], axis=1)
            half = len(read) // 2
            places.append({*read[:half].ravel().tolist(), *table[read[half:]].ravel().tolist()})
        assert sum(map(len, places)) == len(set().union(*places))


def test_a_step_is_a_function_of_its_number_and_epoch_alone():
    vocabulary = Vocabulary(4, 2)
    tokens = np.random.default_rng(0).integers(3, vocabulary.size, 500).astype(vocabulary.dtype)
    lanes = Lanes(tokens, vocabulary, n_lanes=4, bptt=6, reverse_complement=True)
    first = lanes.step(3, 1)[0].tolist()
    lanes.step(0, 0)
    assert lanes.step(3, 1)[0].tolist() == first == lanes.step(3, 3)[0].tolist()
    assert lanes.step(3, 0)[0].tolist() != first


def test_no_step_reads_beyond_the_stream():
    lanes = Lanes(np.arange(103, dtype=np.uint8) % 60, Vocabulary(3, 1), n_lanes=6, bptt=7, reverse_complement=True)
    for number in range(lanes.n_steps):
        inputs, targets = lanes.step(number)
        assert inputs.shape == targets.shape == (6, 7)


def lanes_of_variable_steps(seed, n_tokens=20_000, bptt=70, n_lanes=2):
    tokens = np.arange(n_tokens) % 60 + 3
    return Lanes(tokens.astype(np.uint8), Vocabulary(3, 1), n_lanes, bptt, False, lengths_seed=seed)


def test_length_of_a_step_is_a_function_of_seed_epoch_and_number_alone():
    few, many = step_lengths(10, 70, 1, 2), step_lengths(1000, 70, 1, 2)
    assert few.tolist() == many[:10].tolist()
    assert step_lengths(10, 70, 1, 3).tolist() != few.tolist()
    assert step_lengths(10, 70, 2, 2).tolist() != few.tolist()


def test_lengths_are_normal_around_bptt_and_one_in_twenty_around_half_of_it():
    lengths = step_lengths(100_000, 70, 1, 0)
    short = lengths[lengths < 52]
    assert len(short) / len(lengths) == pytest.approx(0.05, abs=0.003)
    assert short.mean() == pytest.approx(35, abs=0.6)  # cut to whole tokens: half a token less
    assert lengths[lengths >= 52].mean() == pytest.approx(70, abs=0.6)
    assert lengths[lengths >= 52].std() == pytest.approx(5, abs=0.1)
    assert lengths.max() == 90
    assert step_lengths(1000, 6, 1, 0).min() == 5
    assert step_lengths(1000, 3, 1, 0).min() == 3


@given(seed=st.integers(0, 2**31), epoch=st.integers(0, 9), bptt=st.integers(1, 90), n_tokens=st.integers(0, 1500))
def test_steps_of_variable_length_cover_an_epoch_without_gap_or_overlap(seed, epoch, bptt, n_tokens):
    lanes = lanes_of_variable_steps(seed, 2 * n_tokens, bptt)
    borders = lanes.borders(epoch)
    fixed = Lanes(lanes.tokens, lanes.vocabulary, 2, bptt, False).borders(epoch)
    assert (len(borders) > 1) == (len(fixed) > 1)  # too short for a step or not
    assert borders[0] == 0
    assert all(length >= min(5, bptt) for length in np.diff(borders))
    if len(borders) > 1:
        assert n_tokens - 1 - min(5, bptt) < borders[-1] <= n_tokens - 1


def test_steps_of_variable_length_read_the_stream_in_order():
    lanes = lanes_of_variable_steps(7)
    read = [lanes.step(number, 1) for number in range(len(lanes.borders(1)) - 1)]
    assert len({inputs.shape[1] for inputs, _ in read}) > 5
    inputs, targets = (torch.cat([step[side] for step in read], dim=1) for side in (0, 1))
    assert inputs[0].tolist() == lanes.tokens[: inputs.shape[1]].tolist()
    assert targets[0].tolist() == lanes.tokens[1 : inputs.shape[1] + 1].tolist()


@pytest.mark.parametrize("lengths_seed", [None, 5])
def test_steps_have_equal_lengths_in_all_processes(lengths_seed):
    tokens = np.arange(4000, dtype=np.uint8) % 60
    ranks = [
        Lanes(tokens, Vocabulary(3, 1), 4, 20, True, rank, 2, lengths_seed=lengths_seed).borders(3) for rank in (0, 1)
    ]
    assert ranks[0].tolist() == ranks[1].tolist()


def test_validation_lanes_are_spread_over_the_stream():
    lanes = spread_lanes(np.arange(100), n_lanes=4, max_tokens=20, stride=1)
    assert lanes[:, 0].tolist() == [0, 25, 50, 75]
    assert lanes.shape == (4, 5)


@pytest.mark.parametrize(("max_tokens", "n_read"), [(20, 5), (1000, 9), (3, 0)])
def test_validation_lanes_have_the_tokens_between_those_that_are_read(max_tokens, n_read):
    lanes = spread_lanes(np.arange(100), n_lanes=4, max_tokens=max_tokens, stride=3)
    assert lanes[:, ::3].shape == (4, n_read)
    assert lanes.shape[1] == max(3 * (n_read - 1) + 1, 0) <= 25
    assert not n_read or lanes[1].tolist() == list(range(25, 25 + lanes.shape[1]))


def test_special_tokens_are_neither_targets_nor_contexts():
    tokens = torch.tensor([[2, 5, 6, 1, 7, 8]])
    assert target_mask(tokens[:, :-1], tokens[:, 1:]).tolist() == [[False, True, False, False, True]]


def make_data(n=7, vocabulary=None):
    rng = np.random.default_rng(1)
    return LabelledSequences(rng.integers(0, 4, (n, 12)).astype(np.uint8), np.arange(n, dtype="float32"), vocabulary)


def test_a_batch_is_the_k_mers_of_either_strand():
    data = LabelledSequences(codes_of(["ACGTT", "ACGTT"]), np.array([1, 0], "float32"), Vocabulary(2, 1))
    batch = data.batch(np.array([0, 1]), np.array([False, True]), CPU)
    words = [[Vocabulary(2, 1).token(int(token)) for token in row] for row in batch.tokens]
    assert words == [["AC", "CG", "GT", "TT"], ["AA", "AC", "CG", "GT"]]
    assert batch.targets["label"].tolist() == [1, 0]
    assert data.codes.tolist() == codes_of(["ACGTT", "ACGTT"]).tolist()


def test_an_epoch_reads_every_example_once_and_depends_on_seed_and_epoch_alone():
    data = make_data()

    def labels(seed, epoch):
        batches = data.epoch(seed, epoch, 2, CPU, reverse_complement=True)
        return [batch.targets["label"].tolist() for batch in batches]

    first = labels(1, 0)
    assert sorted(label for batch in first for label in batch) == list(range(7))
    assert labels(1, 0) == first
    assert labels(1, 1) != first
    assert labels(2, 0) != first


def test_no_batch_has_a_single_example_because_batch_normalisation_needs_two():
    sizes = [len(b.targets["label"]) for b in make_data(7).epoch(1, 0, 2, CPU, reverse_complement=False)]
    assert sizes == [2, 2, 3]


def test_reverse_complement_switch_changes_the_batches():
    data = make_data(40)
    on, off = (next(data.epoch(1, 0, 40, CPU, reverse_complement=flag)).one_hot for flag in (True, False))
    assert not torch.equal(on, off)


@pytest.mark.parametrize("order", [1, -1])
def test_lanes_copy_nothing_of_the_stream(order):
    tokens = np.zeros(10_007, np.uint8)
    lanes = Lanes(tokens[::order], Vocabulary(3, 2), 8, 5, reverse_complement=True, rank=1, world_size=2)
    assert [np.shares_memory(view, tokens) for view, _ in lanes._strands] == [True, True]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_step_on_a_gpu_is_that_on_the_processor():
    vocabulary = Vocabulary(4, 2)
    tokens = np.random.default_rng(0).integers(3, vocabulary.size, 5000).astype(vocabulary.dtype)
    lanes = Lanes(tokens, vocabulary, n_lanes=4, bptt=6, reverse_complement=True)
    cuda = torch.device("cuda")
    made = [[send(part, cuda) for part in lanes.step(number, 1)] for number in range(lanes.n_steps)]  # may overlap
    for number, parts in enumerate(made):
        for part, wanted in zip(parts, lanes.step(number, 1), strict=True):
            assert torch.equal(part.cpu(), wanted)
