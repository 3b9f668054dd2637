"""Any open_clip model: its features are open_clip's own, its identity follows what they depend on.

The models are small and random, from configurations that open_clip takes like its own.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from datacomp.cli.evaluate import app
from datacomp.errors import EvaluationError, UnknownNameError, UsageError
from datacomp.evaluation.model import load_model
from datacomp.evaluation.weights import find_weights
from datacomp.reports import ModelProvenance, read_report

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 16}
CONFIGS = {
    "small-ViT": {"embed_dim": 16, "vision_cfg": VIT, "text_cfg": TEXT},
    "small-ViT-quickgelu": {
        "embed_dim": 16,
        "quick_gelu": True,
        "vision_cfg": VIT,
        "text_cfg": TEXT,
    },
    "small-RN": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
        "text_cfg": TEXT,
    },
    "small-custom": {
        "embed_dim": 16,
        "custom_text": True,
        "init_logit_bias": -10,
        "vision_cfg": VIT,
        "text_cfg": {**TEXT, "vocab_size": 64, "hf_tokenizer_name": "TOKENIZER"},
    },
}
TEXTS = ["a photo of a dog", "two cats, sleeping in the sun on a very long wall " * 3, "é 中"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configurations, known to open_clip, and their weights as .safetensors."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("models")
    words = {
        word: i for i, word in enumerate(["[PAD]", "[UNK]", "a", "photo", "of", "dog", "cats"])
    }
    words_tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    words_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words_tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(root / "tokenizer")
    for name, config in CONFIGS.items():
        text = json.dumps(config).replace("TOKENIZER", str(root / "tokenizer"))
        (root / f"{name}.json").write_text(text)
        open_clip.add_model_config(root / f"{name}.json")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(name))
            save_file(open_clip.create_model(name).state_dict(), root / f"{name}.safetensors")
    return root


@pytest.fixture
def tag(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tag of small-ViT, trained with QuickGELU on pictures squashed to 32 x 32."""
    config = {
        "file": str(folder / "small-ViT.safetensors"),
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
        "interpolation": "bilinear",
        "resize_mode": "squash",
        "quick_gelu": True,
    }
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "small-ViT", {"mine": config})
    return "mine"


@pytest.fixture(scope="module")
def pictures(tiny_suite: Path) -> list[Image.Image]:
    """Pictures of the tiny suite, whole and cut to odd shapes."""
    from datacomp.evaluation.dataset import read_samples

    found = []
    for i, sample in enumerate(read_samples(tiny_suite / "wds_names_test")):
        image = Image.open(io.BytesIO(sample.image)).convert("RGB")
        width, height = image.size
        found.append(image.crop((0, 0, width - 7 * (i % 3), height - 11 * (i % 4))))
    return found[:70]


def of_open_clip(name: str, images: list[Image.Image], **options: Any) -> tuple[Any, Any]:
    """Features as open_clip's own loading and transform give them, a picture at a time."""
    model, _, transform = open_clip.create_model_and_transforms(name, **options)
    tokens = open_clip.get_tokenizer(name)(TEXTS)
    model.eval()
    with torch.inference_mode():
        pictures = torch.cat([model.encode_image(transform(i).unsqueeze(0)) for i in images])
        return pictures.numpy(), model.encode_text(tokens).numpy()


def assert_equal(encoder: Any, images: list[Image.Image], expected: tuple[Any, Any]) -> None:
    found = encoder.encode_image(images), encoder.encode_text(TEXTS)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        scale = np.linalg.norm(theirs, axis=1, keepdims=True)
        np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_features_are_those_of_open_clip(
    folder: Path, pictures: list[Image.Image], name: str
) -> None:
    file = str(folder / f"{name}.safetensors")
    assert_equal(
        load_model(find_weights(name, file)),
        pictures,
        of_open_clip(name, pictures, pretrained=file),
    )


def test_a_tag_brings_its_preprocessing_and_activation(
    folder: Path, pictures: list[Image.Image], tag: str
) -> None:
    encoder = load_model(find_weights("small-ViT", tag))
    expected = of_open_clip("small-ViT", pictures, pretrained=tag, force_quick_gelu=True)
    assert_equal(encoder, pictures, expected)
    assert encoder.provenance.pretrained == tag
    assert encoder.provenance.preprocessing.resize_mode == "squash"
    assert encoder.provenance.preprocessing.mean == (0.5, 0.4, 0.3)


def test_a_file_can_stand_in_for_what_the_tag_would_fetch(
    folder: Path, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here.safetensors").write_bytes((folder / "small-ViT.safetensors").read_bytes())
    fetched = load_model(find_weights("small-ViT", tag))
    config = open_clip.pretrained._PRETRAINED["small-ViT"]["mine"]
    monkeypatch.delitem(config, "file")
    given = load_model(find_weights("small-ViT", tag, tmp_path / "here.safetensors"))
    assert given.identity == fetched.identity


def test_a_checkpoint_of_open_clips_training_is_taken_as_it_is(
    folder: Path, pictures: list[Image.Image], tmp_path: Path
) -> None:
    plain = load_model(find_weights("small-ViT", str(folder / "small-ViT.safetensors")))
    weights = plain.model.state_dict()
    torch.save(
        {
            "epoch": 5,
            "name": "medium",
            "state_dict": {f"module.{name}": value for name, value in weights.items()},
            "optimizer": torch.optim.AdamW(plain.model.parameters()).state_dict(),
        },
        tmp_path / "epoch_latest.pt",
    )
    found = load_model(find_weights("small-ViT", str(tmp_path / "epoch_latest.pt")))
    np.testing.assert_array_equal(found.encode_image(pictures), plain.encode_image(pictures))
    assert found.identity != plain.identity


def test_the_identity_follows_weights_architecture_and_preprocessing(
    folder: Path, tag: str, tmp_path: Path
) -> None:
    file = folder / "small-ViT.safetensors"
    (tmp_path / "renamed.safetensors").write_bytes(file.read_bytes())
    identities = [
        load_model(find_weights(model, pretrained)).identity
        for model, pretrained in (
            ("small-ViT", str(file)),
            ("small-ViT", str(tmp_path / "renamed.safetensors")),
            ("small-ViT", tag),
            ("small-ViT-quickgelu", str(file)),
            ("small-ViT-quickgelu", str(folder / "small-ViT-quickgelu.safetensors")),
        )
    ]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 4


class Trap:
    """What a pickle can do when it is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


def test_a_pickle_of_more_than_tensors_is_refused_and_not_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Trap()}, "info.pt")
    with pytest.raises(EvaluationError, match="a pickle can run code"):
        load_model(find_weights("small-ViT", "info.pt"))
    assert not Path("trapped").exists()


@pytest.mark.parametrize(
    ("model", "pretrained", "error", "words"),
    [
        ("small-Vit", "x", UnknownNameError, "Did you mean 'small-ViT'"),
        ("small-ViT", None, UsageError, "needs --pretrained"),
        ("ViT-B-32", "laion2b_s34b_b79", UnknownNameError, "Did you mean 'laion2b_s34b_b79k'"),
        ("small-ViT", "none.pt", EvaluationError, "no file of weights at none.pt"),
    ],
)
def test_what_is_not_there_is_named(
    folder: Path, model: str, pretrained: str | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        find_weights(model, pretrained)


def test_a_second_file_beside_a_file_is_refused(folder: Path) -> None:
    file = folder / "small-ViT.safetensors"
    with pytest.raises(UsageError, match="one of the two files"):
        find_weights("small-ViT", str(file), file)


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    file = str(folder / "small-RN.safetensors")
    with pytest.raises(
        EvaluationError, match=r"small-RN\.safetensors cannot be loaded into small-"
    ):
        load_model(find_weights("small-ViT", file))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub, and nothing in its cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("huggingface_hub.constants", "huggingface_hub.file_download.constants"):
        monkeypatch.setattr(f"{name}.HF_HUB_CACHE", str(tmp_path / "hub"))


def test_a_tag_that_cannot_be_fetched_says_from_where_and_what_to_do(offline: None) -> None:
    with pytest.raises(EvaluationError, match="--weights FILE") as caught:
        find_weights("ViT-B-32", "openai")
    assert "huggingface.co/timm/vit_base_patch32_clip_224.openai" in str(caught.value)


def test_a_tokenizer_that_only_the_hub_has_is_named(
    folder: Path, offline: None, tmp_path: Path
) -> None:
    config = CONFIGS["small-custom"]
    text = json.dumps(config).replace("TOKENIZER", "nobody/no-such-tokenizer")
    (tmp_path / "small-elsewhere.json").write_text(text)
    open_clip.add_model_config(tmp_path / "small-elsewhere.json")
    weights = find_weights("small-elsewhere", str(folder / "small-custom.safetensors"))
    with pytest.raises(EvaluationError, match="tokenizer 'nobody/no-such-tokenizer'"):
        load_model(weights)


def test_the_command_writes_a_report_of_the_model(
    folder: Path, tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("DATACOMP_CACHE", str(tiny_suite.parents[2]))
    arguments = ["--model", "small-ViT", "--pretrained", str(folder / "small-ViT.safetensors")]
    result = CliRunner().invoke(app, [*arguments, "--task", "flags"])
    assert result.exit_code == 0
    assert "No average" in result.stderr
    (path,) = tmp_path.glob("evaluations/small-ViT-small-ViT.safetensors-*/tiny/report.json")
    provenance = read_report(path).provenance
    assert isinstance(provenance, ModelProvenance)
    assert read_report(path).tasks["flags"].status == "ok"
    assert f"sha256 {provenance.weights_sha256[:12]}" in result.stdout
    assert "32 x 32, shortest, bicubic" in result.stdout
    assert "submit" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs/mine", "--model", "small-ViT"], "not both"),
        (["--pretrained", "openai"], "of a --model, which is missing"),
        (["--weights", "x.pt"], "of a --model, which is missing"),
    ],
)
def test_a_run_and_a_model_exclude_each_other(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)
