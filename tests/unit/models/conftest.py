import pytest
import torch


@pytest.fixture
def gpu():
    """A CUDA device, where there is one."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device("cuda")
