"""T-MARS: where writing is found, how it is painted over, and what that does to a score."""

import logging
import socket

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import Host, LocalExecutor, filter_from_words, run_filter
from datacomp.training import load_encoder
from datacomp_filters import text_boxes
from datacomp_filters.clip_model import ClipEmbedding, cosines, vectors
from datacomp_filters.masking import fill_regions, height
from datacomp_filters.text_boxes import BOXES, TextBoxes
from datacomp_filters.tmars import MaskedSimilarity, TMars

pytest.importorskip("rapidocr")

HOST = Host(device="cpu", arrays=lambda fit: {})
RED, BLUE, WHITE = (200, 10, 30), (20, 40, 220), (255, 255, 255)


def halves(width=80, height=40):
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def box(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


def written(text, size=(320, 240), letters=40, at=(30, 90)):
    image = Image.new("RGB", size, WHITE)
    font = ImageFont.load_default(letters)
    ImageDraw.Draw(image).text(at, text, fill="black", font=font)
    return image


def found_in(*images, **settings):
    step = TextBoxes(**settings)
    batch = pa.record_batch({"uid": ["0" * 32] * len(images)})
    made = step.open(HOST)(batch, list(images))
    assert made.schema == step.outputs()
    return made.column(BOXES).to_pylist()


def test_a_region_takes_the_colour_around_it():
    image = halves()
    ImageDraw.Draw(image).rectangle((8, 8, 27, 15), fill=WHITE)
    ImageDraw.Draw(image).rectangle((50, 20, 69, 30), fill=WHITE)
    before = image.copy()
    filled = fill_regions(image, [box(8, 8, 27, 15), box(50, 20, 69, 30)])
    assert filled == halves()
    assert image == before


def test_a_region_takes_nothing_from_the_writing_beside_it():
    image = Image.new("RGB", (80, 40), RED)
    ImageDraw.Draw(image).rectangle((20, 10, 59, 19), fill=WHITE)
    ImageDraw.Draw(image).rectangle((20, 20, 59, 29), fill="black")
    filled = fill_regions(image, [box(20, 10, 59, 19), box(20, 20, 59, 29)])
    assert filled == Image.new("RGB", (80, 40), RED)


def test_a_slanted_region_is_filled_within_its_corners_alone():
    image = Image.new("RGB", (60, 60), RED)
    image.putpixel((12, 12), BLUE)
    filled = fill_regions(image, [[30, 10, 50, 30, 30, 50, 10, 30]])
    assert filled.getpixel((12, 12)) == BLUE
    assert filled.getpixel((30, 30)) == pytest.approx(RED, abs=2)


def test_a_region_within_writing_takes_the_rest_of_the_picture():
    image = halves()
    frame = [box(4, 4, 35, 35), box(12, 12, 27, 27)]
    filled = fill_regions(image, frame)
    assert filled.getpixel((20, 20)) == tuple(np.rint(mean_outside(image, (4, 4, 36, 36))))


def mean_outside(image, covered):
    pixels = np.array(image).astype(float)
    left, top, right, bottom = covered
    pixels[top:bottom, left:right] = np.nan
    return np.nanmean(pixels.reshape(-1, 3), axis=0)


@pytest.mark.parametrize("region", [box(0, 0, 80, 40), box(-50, -50, 500, 500)])
def test_a_picture_of_writing_alone_becomes_a_plain_card(region):
    filled = fill_regions(halves(), [region])
    assert filled.getcolors() == [(80 * 40, (110, 25, 125))]


@pytest.mark.parametrize("region", [box(90, 10, 120, 20), box(5, 5, 5, 5), [0.2] * 8])
def test_regions_of_no_extent_do_no_harm(region):
    changed = np.array(fill_regions(halves(), [region])) != np.array(halves())
    assert np.count_nonzero(changed.any(axis=2)) <= 1


def test_how_tall_writing_is_does_not_depend_on_its_slant():
    assert height(box(10, 10, 110, 30)) == 20
    assert height([0, 0, 30, 30, 20, 40, -10, 10]) == pytest.approx(200**0.5)


def test_writing_is_found_where_it_is():
    ((region,), nothing, missing) = found_in(written("HELLO"), halves(), None)
    ink = np.argwhere(np.array(written("HELLO").convert("L")) < 128)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    x, y = region[::2], region[1::2]
    assert (nothing, missing) == ([], None)
    assert [min(x), min(y), max(x), max(y)] == pytest.approx([left, top, right, bottom], abs=25)
    assert max(min(x) - left, right - max(x), min(y) - top, bottom - max(y)) < 3


def test_small_pictures_are_enlarged_and_large_ones_reduced():
    step = TextBoxes()
    sizes = [(72, 72), (640, 480), (4000, 3000), (1, 1), (2000, 5)]
    looked_at = [step.detector_size(*size) for size in sizes]
    assert looked_at == [(128, 128), (512, 384), (512, 384), (32, 32), (512, 32)]
    small = written("OX", (72, 72), 22, (16, 20))
    ((region,),) = found_in(small)
    assert 0 <= min(region) < max(region) <= 72


def test_odd_pictures_have_no_writing():
    assert found_in(*(Image.new("RGB", size) for size in [(1, 1), (1, 900), (900, 1)])) == [[]] * 3


def test_the_detector_is_silent_and_asks_no_network(capfd, caplog, monkeypatch):
    def refuse(*_):
        raise AssertionError("it asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with caplog.at_level(logging.DEBUG):
        found_in(written("HELLO"))
    assert (*capfd.readouterr(), caplog.records) == ("", "", [])


def test_a_rapidocr_without_the_model_is_told(monkeypatch):
    monkeypatch.setattr(text_boxes, "MODEL", "other.onnx")
    with pytest.raises(FilterError, match=r"does not carry other\.onnx"):
        TextBoxes().assets()


def masked_scores(run, images, regions, captions, tallest=1.0):
    step = MaskedSimilarity(
        side=512, max_upscale=2.0, box_threshold=0.5, tallest=tallest, model=str(run)
    )
    boxes, embedding = step.inputs()
    batch = pa.record_batch({"text": pa.array(captions, pa.string())})
    made = embedding.open(HOST)(batch, images)
    batch = pa.record_batch(
        [pa.array(regions, boxes.outputs().field(BOXES).type), *made.columns],
        names=[BOXES, *made.schema.names],
    )
    (scores,) = step.open(HOST)(batch, images).columns
    return scores.to_pylist()


def test_only_pictures_with_writing_are_scored_again(clip_run):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 80, 3), np.uint8)
    noise, region = Image.fromarray(pixels), box(0, 0, 79, 39)
    images, captions = [noise, noise, None, noise], ["a", "a", "a", None]
    scores = masked_scores(clip_run(0), images, [[], [region], None, []], captions)
    encoder = load_encoder(clip_run(0))
    direct = cosines(
        encoder.encode_image([noise, fill_regions(noise, [region])]),
        encoder.encode_text(["a", "a"]),
    )
    assert scores[:2] == pytest.approx(direct.tolist(), abs=1e-4)
    assert abs(scores[0] - scores[1]) > 5e-4
    assert scores[2:] == [None, None]


def test_a_region_taller_than_the_limit_is_left(clip_run):
    regions = [[box(5, 5, 75, 35), box(10, 2, 70, 12)]]
    tall, low, neither = (
        masked_scores(clip_run(0), [halves()], regions, ["a"], tallest)[0]
        for tallest in (1.0, 0.5, 0.1)
    )
    plain = masked_scores(clip_run(0), [halves()], [[]], ["a"])[0]
    assert neither == plain
    assert len({tall, low, plain}) == 3


def test_boxes_and_vectors_are_stored_once(clip_run, pictured, tmp_path):
    store, model = tmp_path / "scores", str(clip_run(0))
    first = run_filter(TMars(fraction=0.3, model=model), pictured, store, LocalExecutor(1))
    assert first.subset.n == 30
    assert first.counts.dropped["no_score"] == 1
    before = {path for path in store.rglob("*.parquet") if "masked" not in str(path)}
    assert {path.parts[-3] for path in before} == {"text_boxes", "clip_embedding"}
    run_filter(TMars(fraction=0.3, model=model, tallest=0.5), pictured, store, LocalExecutor(1))
    assert {path for path in store.rglob("*.parquet") if "masked" not in str(path)} == before


def test_drawn_captions_are_found_in_the_tiny_pool(clip_run, pictured, tmp_path):
    kinds = pictured.truth()
    marked = dict(zip(kinds["uid"].to_pylist(), kinds["truth_kind"].to_pylist(), strict=True))
    samples, images = pictured.samples(), []
    for part in pictured.parts:
        uids = pictured.read(part, ["uid"]).column(0).to_pylist()
        places = samples.locate(pictured.uids(part)).tolist()
        images += [
            samples.read(place).decode()
            for uid, place in zip(uids, places, strict=True)
            if place >= 0 and marked[uid] == "text_shortcut"
        ]
    assert len(images) >= 8
    # The smallest letters are of 7 pixels.
    assert sum(map(bool, found_in(*images))) >= 0.8 * len(images)


@pytest.mark.parametrize(
    "parameters",
    [
        {"fraction": 1.5, "model": "run"},
        {"fraction": 0.3, "model": "run", "side": 16},
        {"fraction": 0.3, "model": "run", "max_upscale": 0.0},
        {"fraction": 0.3, "model": "run", "box_threshold": 2.0},
        {"fraction": 0.3, "model": "run", "tallest": 0.0},
    ],
)
def test_tmars_refuses_what_makes_no_sense(parameters):
    with pytest.raises(UsageError):
        TMars(**parameters)


def test_the_model_must_be_given():
    with pytest.raises(UsageError, match="needs model"):
        filter_from_words(TMars, ["fraction=0.3"])


def test_the_rules_name_what_decides(clip_run):
    chosen = TMars(fraction=0.3, model=str(clip_run(0)), tallest=0.5)
    text = " ".join(chosen.rules())
    for fact in (
        "0.5 or more",
        "none taller than 0.5",
        str(clip_run(0)),
        "exactly the floor(N * 0.3)",
    ):
        assert fact in text
    assert isinstance(chosen.steps()[0].inputs()[1], ClipEmbedding)


def test_stored_vectors_are_not_changed_by_masking(clip_run):
    embedding = ClipEmbedding(model=str(clip_run(0)))
    made = embedding.open(HOST)(pa.record_batch({"text": ["a"]}), [halves()])
    column = made.column(0)
    before = vectors(column)
    vectors(column)[:] = 0
    assert (vectors(column) == before).all()
