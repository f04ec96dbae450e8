import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks run fastest on one thread, and threads that wait for each other make tests slow at random."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
