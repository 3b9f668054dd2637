"""Operations of a recipe's model against torch's own counter, and what MFU is computed from."""

from types import SimpleNamespace

import open_clip
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from datacomp.training import Recipe, load_scale, scale_names
from datacomp.training.flops import forward_flops, training_flops
from datacomp.training.pace import Pace
from datacomp.training.peak import named_peak, peak_flops


def counted(recipe: Recipe, *, backward: bool = False) -> float:
    """What torch counts for one image and one caption, on tensors without storage."""
    with torch.device("meta"):
        model = open_clip.CLIP(**recipe.model, output_dict=True)
        pixels = torch.empty(2, 3, recipe.image_size, recipe.image_size)
        tokens = torch.zeros(2, recipe.context_length, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        features = model(pixels, tokens)
        if backward:
            (features["image_features"].sum() + features["text_features"].sum()).backward()
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("scale", [name for name in scale_names() if name != "medium"])
def test_a_forward_pass_is_counted_exactly(scale: str) -> None:
    recipe = load_scale(scale)
    assert forward_flops(recipe) == counted(recipe)


def test_medium_has_the_model_of_small() -> None:
    assert load_scale("medium").model == load_scale("small").model


def test_training_is_three_forward_passes_within_two_percent() -> None:
    recipe = load_scale("tiny")
    assert training_flops(recipe) == pytest.approx(counted(recipe, backward=True), rel=0.02)


@pytest.mark.parametrize(("scale", "giga"), [("small", 7.39), ("large", 20.54), ("xlarge", 87.66)])
def test_datacomps_scales_have_their_known_multiply_adds(scale: str, giga: float) -> None:
    assert round(forward_flops(load_scale(scale)) / 2e9, 2) == giga


def test_shorter_captions_save_text_and_nothing_else() -> None:
    recipe = load_scale("small")
    image = 4.41  # 1e9 multiply-adds of ViT-B/32's image tower
    assert forward_flops(recipe, tokens=1) / 2e9 == pytest.approx(image, abs=0.05)
    assert forward_flops(recipe, tokens=77) == forward_flops(recipe)


@pytest.mark.parametrize(
    ("name", "bf16", "tera"),
    [
        ("NVIDIA A100-SXM4-80GB", True, 312),
        ("NVIDIA A100-PCIE-40GB", False, 19.5),
        ("NVIDIA H100 80GB HBM3", True, 989),
        ("NVIDIA H100 PCIe", True, 756),
        ("NVIDIA H200", True, 989),
        ("NVIDIA L4", True, 121),
        ("NVIDIA L40S", True, 362),
        ("Tesla V100-SXM2-32GB", False, 15.7),
        ("Tesla V100-SXM2-32GB", True, None),
        ("NVIDIA GH200 480GB", True, None),
        ("NVIDIA L40", True, None),
        ("Some Other GPU", True, None),
    ],
)
def test_a_gpu_is_known_by_its_whole_name(name: str, bf16: bool, tera: float | None) -> None:
    assert named_peak(name, bf16) == (None if tera is None else tera * 1e12)


def test_a_cpu_is_measured_once() -> None:
    assert (first := peak_flops("cpu", "fp32"))
    assert peak_flops("cpu", "fp32") == first


def test_a_device_that_nobody_knows_has_no_mfu() -> None:
    recipe = load_scale("smoke")
    assert Pace(recipe, "mps", 1, start=0).lap(1)["mfu"] is None


def test_mfu_is_of_all_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datacomp.training.pace.peak_flops", lambda *_: 1e12)
    recipe = load_scale("tiny")
    values = Pace(recipe, "cpu", world=2, start=3).lap(4)
    expected = training_flops(recipe) * values["images_per_second"] / 2e12
    assert values["mfu"] == pytest.approx(expected)


def test_captions_count_with_the_tokens_that_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datacomp.training.pace.peak_flops", lambda *_: 1e12)
    recipe = load_scale("small")
    pace = Pace(recipe, "cuda", world=1, start=0)
    pace.read(tokens=30, captions=2)
    values = pace.lap(1)
    expected = training_flops(recipe, tokens=15) * values["images_per_second"] / 1e12
    assert values["mfu"] == pytest.approx(expected)
    whole = pace.lap(2)
    assert whole["mfu"] == pytest.approx(training_flops(recipe) * whole["images_per_second"] / 1e12)


def test_time_in_waiting_is_a_share_of_the_lap(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 4.0, 12.0, 12.0])
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("datacomp.training.pace.time", clock)
    pace = Pace(load_scale("smoke"), "mps", 1, start=5)
    with pace.waiting():
        pass
    assert pace.lap(8) == {
        "images_per_second": 3 * 64 / 12,
        "data_wait_share": 0.25,
        "mfu": None,
    }
