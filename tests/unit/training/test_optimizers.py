import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bindgram.training.optimizers import (
    NonMonotoneTrigger,
    averaged_weights,
    discriminative_rates,
    freeze_below,
    make_optimizer,
    make_schedule,
)


def test_learning_rate_falls_by_the_decay_from_head_to_input():
    assert discriminative_rates(8.0, 2.0, 4) == [1.0, 2.0, 4.0, 8.0]


def test_gradual_unfreezing_frees_the_last_groups_only():
    groups = [[nn.Parameter(torch.zeros(1))] for _ in range(3)]
    assert freeze_below(groups, 2) == groups[1:]
    assert [group[0].requires_grad for group in groups] == [False, True, True]
    assert freeze_below(groups, None) == groups
    assert all(group[0].requires_grad for group in groups)


def test_freezing_forgets_the_gradients_of_an_earlier_stage():
    groups = [[nn.Parameter(torch.zeros(1))] for _ in range(2)]
    for group in groups:
        group[0].grad = torch.ones(1)
    freeze_below(groups, 1)
    assert groups[0][0].grad is None  # it would count when gradients are clipped by their norm
    assert groups[1][0].grad is not None


def test_one_cycle_peaks_at_each_groups_own_rate_and_ends_low():
    groups = [[nn.Parameter(torch.zeros(1))], [nn.Parameter(torch.zeros(1))]]
    optimizer = make_optimizer("adamw", groups, [1.0, 2.0], 0.0)
    schedule = make_schedule("one_cycle", optimizer, 40, warmup=0.25, momentum=None)
    rates = []
    for _ in range(40):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    highest = [max(column) for column in zip(*rates, strict=True)]
    assert highest == pytest.approx([1.0, 2.0], rel=0.01)
    assert rates[-1][0] < 0.01 * highest[0]
    assert max(range(40), key=lambda step: rates[step][0]) == 9


@pytest.mark.parametrize(("n_steps", "warmup"), [(10, 0.1), (4, 0.25), (2, 0.5), (3, 0.1)])
def test_one_cycle_takes_so_few_steps_that_the_rise_has_none(n_steps, warmup):
    optimizer = make_optimizer("adamw", [[nn.Parameter(torch.zeros(1))]], [1.0], 0.0)
    schedule = make_schedule("one_cycle", optimizer, n_steps, warmup, None)
    rates = []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(rates) > 0.5
    assert rates == sorted(rates, reverse=True)


def test_momentum_falls_while_the_rate_rises_and_comes_back():
    """As fastai's ``fit_one_cycle(..., moms=(0.8, 0.7))``: cosines between the two, in step with the rate."""
    optimizer = make_optimizer("adamw", [[nn.Parameter(torch.zeros(1))], [nn.Parameter(torch.zeros(1))]], [1.0, 2.0], 0)
    schedule = make_schedule("one_cycle", optimizer, 41, 0.275, [0.8, 0.7])
    betas = []
    for _ in range(41):
        assert len({group["betas"] for group in optimizer.param_groups}) == 1
        betas.append(optimizer.param_groups[0]["betas"])
        optimizer.step()
        schedule.step()
    first, second = zip(*betas, strict=True)
    assert set(second) == {0.99}
    assert (first[0], min(first), first[-1]) == (pytest.approx(0.8), pytest.approx(0.7, abs=1e-3), pytest.approx(0.8))
    lowest = first.index(min(first))
    assert lowest in (10, 11)
    assert list(first[:lowest]) == sorted(first[:lowest], reverse=True)
    assert list(first[lowest:]) == sorted(first[lowest:])
    assert first[5] == pytest.approx(0.7 + 0.05 * (1 + math.cos(math.pi * 5 / (0.275 * 41 - 1))))


def test_averaging_starts_when_a_loss_is_above_the_best_of_the_older_ones():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = make_optimizer("nt_asgd", [[parameter]], [0.1], 0.0)
    trigger = NonMonotoneTrigger(2)
    for loss in (3.0, 2.0, 2.5):
        trigger.update(loss, optimizer)
        assert not trigger.triggered  # 2.5 > 2.0, but 2.0 is among the last two
    trigger.update(2.6, optimizer)
    assert not trigger.triggered  # the older losses are 3.0
    trigger.update(2.4, optimizer)
    assert trigger.triggered  # 2.4 > min(3.0, 2.0)


def slow_nt_asgd(start, gradient, rate, n_steps, every, patience, loss):
    """Algorithm 1 of Merity et al. (2017) with every weight kept: its average, and the step that triggered it."""
    weights, logs, trigger = [start], [], None
    for step in range(n_steps):
        if step % every == 0 and trigger is None:
            value = loss(weights[step])
            if len(logs) > patience and value > min(logs[: len(logs) - patience]):
                trigger = step
            logs.append(value)
        weights.append(weights[step] - rate * gradient(weights[step], step))
    kept = weights[n_steps:] if trigger is None else weights[trigger:]
    return sum(kept) / len(kept), trigger


@given(
    patience=st.integers(1, 3),
    every=st.integers(1, 4),
    rate=st.floats(0.05, 1.9),
    noise=st.lists(st.floats(-1, 1), min_size=40, max_size=40),
)
def test_nt_asgd_equals_algorithm_1_with_every_weight_kept(patience, every, rate, noise):
    def gradient(weight, step):
        return weight + noise[step]

    def loss(weight):
        return float(abs(weight))

    expected, trigger_step = slow_nt_asgd(3.0, gradient, rate, len(noise), every, patience, loss)
    parameter = nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer = make_optimizer("nt_asgd", [[parameter]], [rate], 0.0)
    trigger, triggered_at = NonMonotoneTrigger(patience), None
    for step in range(len(noise)):
        if step % every == 0 and not trigger.triggered:
            trigger.update(loss(parameter.item()), optimizer)
            triggered_at = step if trigger.triggered else None
        parameter.grad = torch.tensor([gradient(parameter.item(), step)], dtype=torch.float64)
        optimizer.step()
    assert triggered_at == trigger_step
    last = parameter.item()
    with averaged_weights(optimizer, trigger):
        assert parameter.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert parameter.item() == last


def test_the_mean_of_nt_asgd_is_part_of_what_is_saved():
    def averaging():
        parameter = nn.Parameter(torch.zeros(1))
        return parameter, make_optimizer("nt_asgd", [[parameter]], [1.0], 0.0)

    def step(parameter, optimizer):
        parameter.grad = torch.tensor([-1.0])
        optimizer.step()

    first, optimizer = averaging()
    optimizer.start_averaging()
    step(first, optimizer)
    second, resumed = averaging()
    second.data.copy_(first.data)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for parameter, its_optimizer in ((first, optimizer), (second, resumed)):
        step(parameter, its_optimizer)
        assert its_optimizer.state[parameter]["mean"].item() == pytest.approx(1.0)  # of 0, 1 and 2


def test_sgd_goes_down_the_gradient_and_decays_weights():
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimizer = make_optimizer("sgd", [[parameter]], [0.1], 0.5)
    parameter.grad = torch.tensor([3.0])
    optimizer.step()
    assert parameter.item() == pytest.approx(2.0 - 0.1 * (3.0 + 0.5 * 2.0))


def test_untriggered_average_is_the_running_weight():
    parameter = nn.Parameter(torch.ones(1))
    optimizer = make_optimizer("nt_asgd", [[parameter]], [1.0], 0.0)
    with averaged_weights(optimizer, NonMonotoneTrigger(None)):
        assert parameter.item() == 1.0
