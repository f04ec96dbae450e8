import pytest
import torch
from torch import nn

from bindgram.training.learner import Learner
from bindgram.training.optimizers import make_optimizer, make_schedule


@pytest.mark.parametrize("name", ["sgd", "nt_asgd", "adamw"])
def test_a_step_of_half_the_length_is_half_as_far_and_leaves_the_schedule_as_it_was(name):
    moved = []
    for factor in (1.0, 0.5):
        model = nn.Linear(1, 1, bias=False)
        nn.init.ones_(model.weight)
        learner = Learner(model, torch.device("cpu"), "32-true", None)
        learner.optimizer = make_optimizer(name, [list(model.parameters())], [0.1], 0.0)
        learner.schedule = make_schedule("constant", learner.optimizer, 10, None, None)
        learner.add_gradient(3 * model.weight.sum(), first=True, last=True)
        learner.step(rate_factor=factor)
        moved.append(1 - model.weight.item())
        assert learner.optimizer.param_groups[0]["lr"] == 0.1
    assert moved[1] == pytest.approx(moved[0] / 2)
