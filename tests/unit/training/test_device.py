import pytest
import torch

from bindgram.errors import InputError
from bindgram.models.awd_lstm import WeightDropLstm
from bindgram.training import device
from bindgram.training.device import choose_device, seeded
from bindgram.training.learner import Learner

ENVIRONMENT = ("CUDA_VISIBLE_DEVICES", *device.PROMISES)


@pytest.fixture
def without_gpu(monkeypatch):
    """A machine without a GPU, whatever this one has; the environment says nothing of any."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.version, "cuda", None)


@pytest.mark.usefixtures("without_gpu")
def test_a_promised_gpu_that_is_not_there_is_refused_with_what_is_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("SLURM_JOB_GPUS", "3")
    with pytest.raises(InputError) as refused:
        choose_device("cuda", 1)
    message = str(refused.value)
    assert "promised a GPU, but this torch is a CPU-only build" in message
    assert "CUDA_VISIBLE_DEVICES='0', SLURM_JOB_GPUS='3'" in message
    for remedy in ("`device: auto`", "`device: cpu`", "partition", "CUDA build of torch"):
        assert remedy in message


def test_a_cuda_build_that_sees_no_gpu_says_so(monkeypatch, without_gpu):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"torch sees none \(CUDA_VISIBLE_DEVICES is not set, torch "):
        choose_device("cuda", 1)


def test_a_gpu_that_does_not_answer_is_refused(monkeypatch, without_gpu):
    def broken(*shape, device):
        raise RuntimeError("CUDA error: out of memory\nmore")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", broken)
    with pytest.raises(InputError, match=r"the GPU does not answer: CUDA error: out of memory \("):
        choose_device("cuda", 1)


@pytest.mark.usefixtures("without_gpu")
def test_auto_takes_a_cpu_and_names_it(capsys):
    assert choose_device("auto", 1).type == "cpu"
    assert capsys.readouterr().err == "device: CPU, 1 threads\n"


@pytest.mark.usefixtures("without_gpu")
def test_auto_says_that_a_gpu_was_given_and_not_used(monkeypatch, capsys):
    monkeypatch.setenv("SLURM_JOB_GPUS", "3")
    assert choose_device("auto", 1).type == "cpu"
    assert "the job has been given a GPU, but this torch is a CPU-only build" in capsys.readouterr().err


def test_cpu_is_taken_where_a_gpu_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cpu", 2).type == "cpu"
    assert torch.get_num_threads() == 2


def test_seeded_restores_the_generator():
    before = torch.random.get_rng_state()
    with seeded(5, torch.device("cpu")):
        first = torch.rand(1)
    with seeded(5, torch.device("cpu")):
        assert torch.rand(1) == first
    assert torch.equal(before, torch.random.get_rng_state())


def test_half_precision_with_a_scaled_loss_is_refused_on_a_cpu():
    with pytest.raises(InputError, match="precision: 16-mixed needs a GPU"):
        Learner(torch.nn.Linear(2, 1), torch.device("cpu"), "16-mixed", None)


@pytest.mark.parametrize(("precision", "dtype"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)])
def test_a_network_calculates_in_its_precision_and_keeps_its_weights_in_32_bits(precision, dtype):
    learner = Learner(torch.nn.Linear(2, 1), torch.device("cpu"), precision, None)
    assert learner.describe_precision() == precision
    with learner.autocast():
        assert learner.model(torch.ones(1, 2)).dtype == dtype
    assert learner.model.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "supported", "described"),
    [
        ("32-true", True, "32-true (cuDNN may round to TF32)"),
        ("bf16-mixed", True, "bf16-mixed (but the LSTM in float16"),
        ("bf16-mixed", False, "bf16-mixed (emulated"),
        ("16-mixed", True, "16-mixed"),
    ],
)
def test_precision_on_a_gpu_is_described_as_it_is_really_used(precision, supported, described, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    learner = Learner(WeightDropLstm(2, 3, 0.0), torch.device("cpu"), "32-true", None)
    learner.device, learner.precision = torch.device("cuda"), precision
    assert learner.describe_precision().startswith(described)
