import math

import pytest
import torch
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


def test_nt_asgd_averages_the_weights_after_the_trigger_and_restores_them():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = make_optimizer("nt_asgd", [[parameter]], [1.0], 0.0)
    trigger = NonMonotoneTrigger(1)

    def step():
        parameter.grad = torch.tensor([-1.0])  # SGD: the weight grows by one a step
        optimizer.step()

    step()
    for loss in (1.0, 1.5, 2.0):
        trigger.update(loss, optimizer)
    assert trigger.triggered
    for _ in range(3):
        step()
    assert parameter.item() == 4.0
    with averaged_weights(optimizer, trigger):
        assert parameter.item() == pytest.approx(3.0)  # mean of 2, 3 and 4
    assert parameter.item() == 4.0


def test_untriggered_average_is_the_running_weight():
    parameter = nn.Parameter(torch.ones(1))
    optimizer = make_optimizer("nt_asgd", [[parameter]], [1.0], 0.0)
    with averaged_weights(optimizer, NonMonotoneTrigger(None)):
        assert parameter.item() == 1.0
