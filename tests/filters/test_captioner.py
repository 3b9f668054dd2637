"""Sampling and captioners, on models of a few random weights; not what trained ones would say."""

import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import Host
from datacomp.subset.uids import parse_uids
from datacomp_filters.captioning.blip import PROMPT, BlipCaptions
from datacomp_filters.captioning.coca import CocaCaptions
from datacomp_filters.captioning.model_files import ModelName
from datacomp_filters.captioning.sampling import Sampling, distribution, sample, uniform_numbers

torch = pytest.importorskip("torch")

HOST = Host(device="cpu", arrays=lambda fit: {})
WORDS = (
    *("a", "picture", "of", "cat", "dog", "red", "sun", "tree", "on", "the", "in", "with", "big"),
    *("small", "##s", "moon", "house", "blue"),
)


def theirs(logits, tokens, end, how):
    """Probabilities over the vocabulary by transformers' own processors, in its own order."""
    from transformers.generation import logits_process as lp

    for step in (
        lp.RepetitionPenaltyLogitsProcessor(how.repetition_penalty),
        lp.MinLengthLogitsProcessor(how.min_length, end),
        lp.TemperatureLogitsWarper(how.temperature),
        lp.TopKLogitsWarper(how.top_k),
        lp.TopPLogitsWarper(how.top_p),
    ):
        logits = step(tokens, logits)
    return torch.softmax(logits.double(), 1)


@pytest.mark.parametrize(
    "how",
    [
        Sampling(),
        Sampling(top_p=0.5, top_k=7, temperature=0.7, repetition_penalty=1.5, min_length=2),
        Sampling(top_p=0.99, top_k=200, temperature=2.5, repetition_penalty=0.8, min_length=9),
    ],
)
@pytest.mark.parametrize("length", [1, 4, 8])
def test_a_token_has_the_probability_that_transformers_gives_it(how, length):
    random = torch.Generator().manual_seed(length)
    logits = torch.randn(16, 120, generator=random) * 3
    tokens = torch.randint(0, 120, (16, length), generator=random)
    candidates, weights = distribution(logits.clone(), tokens, 5, how)
    ours = torch.zeros(16, 120, dtype=torch.float64).scatter(1, candidates, weights)
    # They choose the nucleus in float32: a token at its very rim may fall either way.
    assert torch.allclose(ours, theirs(logits, tokens, 5, how), atol=1e-6)


def test_drawn_tokens_follow_the_probabilities():
    uids = parse_uids([f"{n:032x}" for n in range(4000)])
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    how = Sampling(top_p=1.0, repetition_penalty=1.0, min_length=0, max_length=2)
    drawn = sample(
        lambda tokens: logits.expand(len(tokens), 4), (0,), 3, how, uniform_numbers(uids, 7, 1, 1)
    )
    counts = np.bincount([row[0] if row else 3 for row in drawn], minlength=4) / 4000
    assert np.allclose(counts, torch.softmax(logits[0], 0).numpy(), atol=0.03)


def test_random_numbers_are_a_rows_own_and_differ_by_seed_copy_and_step():
    uids = parse_uids([f"{n * 2**100 + 5:032x}" for n in range(50)])
    numbers = uniform_numbers(uids, 1, 3, 4).reshape(50, 12)
    assert len(np.unique(numbers)) == 600
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert np.array_equal(uniform_numbers(uids[::-1], 1, 3, 4).reshape(50, 12)[::-1], numbers)
    assert not np.isin(uniform_numbers(uids, 2, 3, 4), numbers).any()


def test_captions_end_where_they_may_and_not_before():
    uids = parse_uids([f"{n:032x}" for n in range(64)])
    favours_end = torch.zeros(64, 9)
    favours_end[:, 8] = 5.0
    how = Sampling(min_length=4, max_length=6)
    drawn = sample(
        lambda tokens: favours_end.clone(), (0, 1), 8, how, uniform_numbers(uids, 0, 1, 4)
    )
    lengths = {len(row) for row in drawn}
    # Prompt of two; two tokens more before the end is allowed; four more fill it.
    assert min(lengths) == 2
    assert max(lengths) <= 4
    assert not any(8 in row for row in drawn)


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    """A BLIP of two layers and 18 words, saved as transformers saves it; made for 48 pixels."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("blip")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    # As in the released model, the decoder's begin token stands behind the tokenizer's words.
    text = {
        "vocab_size": len(vocabulary) + 2,
        "hidden_size": 32,
        "encoder_hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "projection_dim": 32,
        "max_position_embeddings": 32,
        "bos_token_id": len(vocabulary),
        "eos_token_id": 2,
        "sep_token_id": 3,
        "pad_token_id": 0,
    }
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 4, "image_size": 48, "patch_size": 16}
    torch.manual_seed(0)
    config = transformers.BlipConfig(text_config=text, vision_config=vision, projection_dim=32)
    model = transformers.BlipForConditionalGeneration(config)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.normal_(0, 0.3)
    model.save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def batch_of(numbers):
    return pa.record_batch({"uid": [f"{n * 7919 + 3:032x}" for n in numbers]})


def pictures(numbers):
    found = []
    for n in numbers:
        pixels = np.random.default_rng(n).integers(0, 256, (20 + n % 9, 30, 3), np.uint8)
        found.append(Image.fromarray(pixels))
    return found


def spoken(step, numbers):
    made = step.open(HOST)(batch_of(numbers), pictures(numbers))
    return made.column("captions").to_pylist()


def test_blip_captions_are_the_rows_own(blip):
    step = BlipCaptions(model=str(blip), pixels=32, k=3)
    caption = step.open(HOST)
    numbers = list(range(20))
    whole = caption(batch_of(numbers), pictures(numbers)).column("captions").to_pylist()
    assert all(len(few) == 3 for few in whole)
    assert len({caption for few in whole for caption in few}) > 20
    mixed = [17, 3, 11]
    alone = caption(batch_of(mixed), pictures(mixed)).column("captions").to_pylist()
    assert alone == [whole[n] for n in mixed]
    other = BlipCaptions(model=str(blip), pixels=32, k=3, seed=1)
    assert spoken(other, mixed) != alone


def test_rows_without_a_picture_have_no_captions(blip):
    compute = BlipCaptions(model=str(blip), pixels=32, k=1).open(HOST)
    made = compute(batch_of([1, 2, 3]), [None, *pictures([2]), None]).column("captions")
    assert made.is_null().to_pylist() == [True, False, True]
    assert compute(batch_of([1]), [None]).column("captions").to_pylist() == [None]


def test_blip_speaks_after_the_prompt_as_transformers_would(blip):
    """Greedy by a nucleus of one word: transformers' own generate says the same."""
    import transformers

    speaker = BlipCaptions(model=str(blip), pixels=48).speaker(HOST)
    images = pictures([4, 5])
    how = Sampling(top_k=1, repetition_penalty=1.1, min_length=5, max_length=20)
    with torch.inference_mode():
        logits = speaker.look(images, 1)
        ours = sample(logits, speaker.prompt, speaker.end, how, np.zeros((2, 16)))
    model = transformers.BlipForConditionalGeneration.from_pretrained(blip)
    tokenizer = transformers.AutoTokenizer.from_pretrained(blip)
    from datacomp.training.transform import eval_pixels, to_model_input

    pixels = to_model_input(torch.from_numpy(np.stack([eval_pixels(i, 48) for i in images])))
    # As SIEVE calls it: the separator at the end of the prompt is dropped by generate.
    prompt = tokenizer([PROMPT, PROMPT], return_tensors="pt")
    theirs = model.generate(
        pixels,
        prompt.input_ids,
        prompt.attention_mask,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.1,
        min_length=5,
        max_length=20,
    )
    for mine, row in zip(ours, theirs.tolist(), strict=True):
        end = row.index(3, 1) if 3 in row[1:] else len(row)
        assert mine == row[4:end]
        whole = tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        assert speaker.spell(mine) == whole[len(PROMPT) :]


def test_blip_sees_pictures_of_another_size_with_resized_positions(blip):
    small, usual = (BlipCaptions(model=str(blip), pixels=side, k=1) for side in (32, 48))
    assert small.speaker(HOST).look(pictures([1]), 2)(torch.tensor([[24], [24]])).shape == (2, 25)
    assert spoken(small, [1, 2, 3]) != spoken(usual, [1, 2, 3])


@pytest.fixture(scope="module")
def coca(tmp_path_factory):
    """A CoCa of one layer each, saved as open_clip saves it."""
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("coca")
    config = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
            "attentional_pool": True,
            "attn_pooler_heads": 2,
            "output_tokens": True,
        },
        "text_cfg": {
            "context_length": 76,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
            "embed_cls": True,
            "output_tokens": True,
        },
        "multimodal_cfg": {
            "context_length": 76,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
            "attn_pooler_heads": 2,
        },
        "custom_text": True,
    }
    torch.manual_seed(1)
    parts = {key: value for key, value in config.items() if key != "custom_text"}
    model = open_clip.CoCa(**parts)
    for parameter in model.parameters():
        # open_clip leaves some of them as memory happens to be.
        torch.nn.init.normal_(parameter, std=0.02)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def test_coca_captions_are_the_rows_own(coca):
    step = CocaCaptions(model=str(coca), k=2)
    caption = step.open(HOST)
    numbers = list(range(5))
    whole = caption(batch_of(numbers), pictures(numbers)).column("captions").to_pylist()
    assert all(len(few) == 2 and all(few) for few in whole)
    alone = caption(batch_of([3]), pictures([3])).column("captions").to_pylist()
    assert alone == [whole[3]]
    names = [asset.name for asset in step.assets()]
    assert names == ["coca/open_clip_config.json", "coca/open_clip_model.safetensors"]


def test_a_model_that_is_not_what_it_should_be_is_refused(coca, blip, tmp_path):
    with pytest.raises(FilterError, match=r"is no such model: no config\.json"):
        BlipCaptions(model=str(coca)).assets()
    (tmp_path / "config.json").write_text('{"model_type": "blip"}')
    with pytest.raises(FilterError, match="does not load as a BLIP captioner"):
        BlipCaptions(model=str(tmp_path)).speaker(HOST)
    config = json.loads((coca / "open_clip_config.json").read_text())
    del config["model_cfg"]["multimodal_cfg"]
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(FilterError, match="CoCa"):
        CocaCaptions(model=str(tmp_path)).speaker(HOST)


def test_impossible_numbers_are_refused():
    with pytest.raises(UsageError, match="got 0"):
        BlipCaptions(k=0)
    with pytest.raises(UsageError, match="got 5"):
        BlipCaptions(pixels=5)


def test_a_missing_model_names_the_command_and_a_branch_is_no_revision(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub.file_download.constants, "HF_HUB_CACHE", str(tmp_path))
    named = ModelName("captioner_model", "config.json", ("config.json", "vocab.txt"))
    revision = "0123456789abcdef0123456789abcdef01234567"
    with pytest.raises(FilterError, match=f"hf download us/blip --revision {revision} config.json"):
        named.folder(f"us/blip@{revision}")
    snapshot = tmp_path / "models--us--blip" / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert named.folder(f"us/blip@{revision}") == snapshot
    with pytest.raises(UsageError, match="40 hex characters"):
        named.folder("us/blip@main")


def test_damaged_weights_are_told():
    uids = parse_uids(["0" * 32])
    nothing = torch.full((1, 5), torch.nan)
    with pytest.raises(FilterError, match="not finite"):
        sample(lambda tokens: nothing, (0,), 4, Sampling(), uniform_numbers(uids, 0, 1, 19))
