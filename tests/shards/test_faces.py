"""Faces: blurred where the boxes are, only where there are any; damage is counted."""

import io
import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from datacomp.errors import PoolError, ShardsError
from datacomp.pool.folder import Folder
from datacomp.shards import FaceOptions, FaceSource, OnError, reshard
from datacomp.shards.faces import box_damage
from datacomp.shards.places import read_places
from datacomp.subset import format_uids

pytest.importorskip("cv2", reason="blurring needs the extra download")

WIDTH, HEIGHT = 96, 64
BOX = [0.25, 0.25, 0.5, 0.75]
BLUR = FaceOptions(blur=True, inject=False)


@pytest.fixture
def pool(lab):
    """Two samples of noise, of which number 1 has a face, and is repeated in the subset."""
    rows = [lab.row(n, picture=lab.jpeg(n, WIDTH, HEIGHT), extra={"seg": b"mask"}) for n in (0, 1)]
    return lab.pool([rows], faces={1: [BOX]})


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)


def written(lab, name="out"):
    """Members of each sample by suffix."""
    samples = {}
    for member, data in lab.members(lab.path / name):
        key, suffix = member.split(".", 1)
        samples.setdefault(key, {})[suffix] = data
    return samples


def test_a_picture_with_a_face_becomes_a_webp_that_is_blurred_there(lab, pool):
    report = reshard(pool, lab.subset(0, 1, 1), lab.path / "out", faces=BLUR)
    samples = written(lab)
    for copy in (0, 1):
        members = samples[f"{lab.uid(1)}-{copy}"]
        assert list(members) == ["json", "seg", "txt", "webp"]
        before, after = pixels(lab.jpeg(1, WIDTH, HEIGHT)), pixels(members["webp"])
        change = np.abs(after - before).mean(axis=2)
        inside, outside = change[24:40, 32:40].mean(), change[:, 64:].mean()
        assert after[24:40, 32:40].std() < before[24:40, 32:40].std() / 2
        assert inside > 2 * outside
    assert report.manifest["blurred"] == 2


def test_a_picture_without_a_face_is_copied(lab, pool):
    reshard(pool, lab.subset(0, 1), lab.path / "out", faces=BLUR)
    members = written(lab)[f"{lab.uid(0)}-0"]
    assert list(members) == ["jpg", "json", "txt", "seg"]
    assert members["jpg"] == lab.jpeg(0, WIDTH, HEIGHT)


def test_the_quality_is_a_number_that_counts(lab, pool):
    sizes = []
    for quality in (100, 10):
        out = f"out{quality}"
        options = FaceOptions(blur=True, inject=False, webp_quality=quality)
        reshard(pool, lab.subset(1), lab.path / out, faces=options)
        sizes.append(len(written(lab, out)[f"{lab.uid(1)}-0"]["webp"]))
    assert sizes[0] > 2 * sizes[1]


def test_boxes_are_injected_into_the_json_of_pictures_that_have_some(lab, pool):
    options = FaceOptions(blur=False, inject=True)
    reshard(pool, lab.subset(0, 1), lab.path / "out", faces=options)
    samples = written(lab)
    with_face, without = samples[f"{lab.uid(1)}-0"], samples[f"{lab.uid(0)}-0"]
    expected = {"uid": lab.uid(1), "key": "000000001", "face_bboxes": [BOX]}
    assert with_face["json"] == json.dumps(expected).encode()
    assert with_face["jpg"] == lab.jpeg(1, WIDTH, HEIGHT)
    assert "face_bboxes" not in json.loads(without["json"])


def test_boxes_in_the_json_members_serve_as_well(lab):
    rows = [
        lab.row(0, picture=lab.jpeg(0, WIDTH, HEIGHT), json={"face_bboxes": [BOX]}),
        lab.row(1, json={"face_bboxes": []}),
        lab.row(2, json={"face_bboxes": None}),
    ]
    options = FaceOptions(blur=True, inject=False, source=FaceSource.JSON)
    reshard(lab.pool([rows]), lab.subset(0, 1, 2), lab.path / "out", faces=options)
    assert ["webp" in members for members in written(lab).values()] == [True, False, False]


def test_metadata_without_boxes_is_refused(lab):
    with pytest.raises(PoolError, match=r"no column 'face_bboxes'.*--faces-from json"):
        reshard(lab.pool([[0]]), lab.subset(0), lab.path / "out", faces=BLUR)


@pytest.mark.parametrize(
    "boxes",
    [
        [[0.1, 0.1, 0.2]],
        [[0.1, 0.1, 1.2, 0.3]],
        [[-0.1, 0.1, 0.2, 0.3]],
        [[0.5, 0.1, 0.2, 0.3]],
        [[float("nan"), 0.1, 0.2, 0.3]],
        [BOX, None],
    ],
)
def test_a_damaged_box_is_counted_and_stops_its_shard_or_its_sample(lab, boxes):
    pool = lab.pool([[0, 1, 2]], faces={1: boxes})
    subset, out = lab.subset(0, 1, 1, 2), lab.path / "out"
    with pytest.raises(ShardsError, match=r"2 of 4 samples .* --on-error skip") as caught:
        reshard(pool, subset, out, faces=BLUR)
    assert lab.uid(1) in str(caught.value)
    assert "is not x0, y0, x1, y1 in 0 to 1" in str(caught.value)
    report = reshard(pool, subset, out, faces=BLUR, on_error=OnError.SKIP)
    assert lab.keys(out) == [f"{lab.uid(0)}-0", f"{lab.uid(2)}-0"]
    assert report.manifest["skipped"]["broken_faces"] == {"entries": 2}
    shard = report.manifest["shards"][0]
    assert (shard["samples"], list(shard["broken"])) == (2, [lab.uid(1)])
    assert json.loads((out / "00000000_stats.json").read_text()) == {"successes": 2}
    uids, _ = read_places(partial(Folder(str(out)).read_range, "00000000_samples.npy"), 0, 2)
    assert format_uids(uids) == [lab.uid(0), lab.uid(2)]


@pytest.mark.parametrize("picture", [b"no picture", b"\xff\xd8\xff"])
def test_a_picture_that_cannot_be_decoded_is_broken_only_if_it_has_a_face(lab, picture):
    rows = [lab.row(0, picture=picture), lab.row(1, picture=picture)]
    pool = lab.pool([rows], faces={1: [BOX]})
    reshard(pool, lab.subset(0), lab.path / "without", faces=BLUR)
    with pytest.raises(ShardsError, match="cannot be"):
        reshard(pool, lab.subset(0, 1), lab.path / "out", faces=BLUR)


def test_a_sample_that_metadata_does_not_know_is_broken_since_its_faces_are_not_known(lab):
    pool = lab.pool([[0, 1]], metadata=[0], faces={})
    with pytest.raises(ShardsError, match="its faces are not known"):
        reshard(pool, lab.subset(0, 1), lab.path / "out", faces=BLUR)


def test_a_json_member_that_tells_nothing_is_broken(lab):
    options = FaceOptions(blur=True, inject=False, source=FaceSource.JSON)
    with pytest.raises(ShardsError, match="its json member has no 'face_bboxes'"):
        reshard(lab.pool([[0]]), lab.subset(0), lab.path / "out", faces=options)


def test_with_and_without_the_compiled_loop_the_bytes_are_the_same(lab, pool, monkeypatch):
    from datacomp.shards import tasks

    reshard(pool, lab.subset(0, 1, 1), lab.path / "python", faces=BLUR)
    monkeypatch.setattr(tasks, "COMPILED_FROM", 0)
    reshard(pool, lab.subset(0, 1, 1), lab.path / "compiled", faces=BLUR)
    assert lab.tree(lab.path / "python") == lab.tree(lab.path / "compiled")


def test_boxes_at_the_edges_are_in_range():
    assert box_damage([[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]]) is None
