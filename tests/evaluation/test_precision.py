"""The arithmetic around an encoder: on a CPU nothing, on CUDA no TF32, and texts in half."""

from contextlib import contextmanager
from typing import Any

import pytest
import torch

from datacomp.evaluation.precision import reference


class Recorder:
    """Answers with the arithmetic that it is called in."""

    name, identity = "recorder", "weights"

    def __init__(self) -> None:
        self.half = False

    def encode_image(self, _: Any) -> Any:
        cudnn = torch.backends.cudnn
        precision = torch.get_float32_matmul_precision()
        return precision, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic, self.half

    encode_text = encode_image


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()

    @contextmanager
    def autocast(device: str, dtype: Any) -> Any:
        assert (device, dtype) == ("cuda", torch.float16)
        recorder.half = True
        yield
        recorder.half = False

    monkeypatch.setattr(torch, "autocast", autocast)
    return recorder


def test_a_cpu_needs_nothing(recorder: Recorder) -> None:
    assert reference(recorder, "cpu") is recorder


def test_cuda_is_exact_but_for_texts(recorder: Recorder) -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    try:
        encoder: Any = reference(recorder, "cuda:1")
        assert encoder.encode_image([]) == ("highest", False, False, True, False)
        assert encoder.encode_text([]) == ("highest", False, False, True, True)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert torch.backends.cudnn.allow_tf32 == before[1]


def test_features_of_a_device_are_not_another_devices(recorder: Recorder) -> None:
    names = [reference(recorder, device).identity for device in ("cpu", "cuda", "mps")]
    assert len(set(names)) == 3
    assert reference(recorder, "cuda:0").identity == reference(recorder, "cuda:1").identity
