import numpy as np
import pytest
import torch

from bindgram.sequence.dna import codes_of, reverse_complement
from bindgram.sequence.kmers import Vocabulary
from bindgram.training.loaders import LabelledSequences, Lanes, spread_lanes, target_mask

CPU = torch.device("cpu")


def test_lanes_read_the_stream_side_by_side_and_targets_are_one_ahead():
    lanes = Lanes(np.arange(20, dtype=np.uint8), Vocabulary(3, 1), n_lanes=2, bptt=4, reverse_complement=False)
    inputs, targets = lanes.step(1)
    assert lanes.n_steps == 2
    assert inputs.tolist() == [[4, 5, 6, 7], [14, 15, 16, 17]]
    assert targets.tolist() == [[5, 6, 7, 8], [15, 16, 17, 18]]


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (4, 2)])
def test_reverse_lanes_read_the_other_strand(k, stride):
    vocabulary = Vocabulary(k, stride)
    codes = np.random.default_rng(0).integers(0, 4, k + 99 * stride).astype(np.uint8)
    lanes = Lanes(vocabulary.encode(codes), vocabulary, n_lanes=4, bptt=10, reverse_complement=True)
    steps = [lanes.step(number)[0].numpy() for number in range(lanes.n_steps)]
    other_strand = vocabulary.encode(reverse_complement(codes))
    first_reverse_lane = np.concatenate([step[2] for step in steps])
    second_reverse_lane = np.concatenate([step[3] for step in steps])
    assert first_reverse_lane.tolist() == other_strand[:40].tolist()
    assert second_reverse_lane.tolist() == other_strand[50:90].tolist()


def test_no_step_reads_beyond_the_stream():
    lanes = Lanes(np.arange(103, dtype=np.uint8) % 60, Vocabulary(3, 1), n_lanes=6, bptt=7, reverse_complement=True)
    for number in range(lanes.n_steps):
        inputs, targets = lanes.step(number)
        assert inputs.shape == targets.shape == (6, 7)


def test_validation_lanes_are_spread_over_the_stream():
    lanes = spread_lanes(np.arange(100), n_lanes=4, max_tokens=20)
    assert lanes[:, 0].tolist() == [0, 25, 50, 75]
    assert lanes.shape == (4, 5)


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
