"""The tiny pool's builder: the files of DataComp, the planted kinds, and the same bytes again."""

import hashlib
import io
import json
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.errors import PoolError, UsageError
from datacomp.pool import open_pool
from datacomp.pool.samples import decode_image
from datacomp.pool.schema import FEATURE_KEYS, SCHEMA
from datacomp.pool.tiny.build import build_tiny, require_place
from datacomp.pool.tiny.config import KINDS, TinyConfig, parse_mix
from datacomp.pool.tiny.draw import Painter
from datacomp.pool.tiny.lettering import write_over
from datacomp.pool.tiny.pictures import pictures
from datacomp.pool.tiny.plan import make_plan

CONFIG = TinyConfig(rows=400, shard_rows=60, dead_share=0.05)


@pytest.fixture(scope="module")
def plan():
    return make_plan(CONFIG, pictures("pool"))


@pytest.fixture(scope="module")
def rows(plan):
    return [plan.row(number) for number in range(CONFIG.rows)]


def tree(path):
    """Every file but the kept shard indexes, which hold file times."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.parent.parent.name != "index" or file.parent.name != "shards"
    }


def test_the_same_seed_gives_the_same_bytes(tiny_pool, tmp_path, fake_encoder):
    build_tiny(tmp_path / "again", CONFIG, fake_encoder)
    assert tree(tmp_path / "again") == tree(tiny_pool)


def test_another_seed_gives_other_uids(plan):
    other = make_plan(TinyConfig(rows=400, seed=1), pictures("pool"))
    assert not {plan.row(i).uid for i in range(400)} & {other.row(i).uid for i in range(400)}


def test_the_files_are_those_of_a_datacomp_pool(tiny_pool):
    pool = open_pool(str(tiny_pool))
    manifest = pool.require_manifest()
    assert manifest.n_problems == 0
    assert len(pool.parts) == 4
    assert len(pool.shards) == 8
    assert all(len(part.name) == 32 and part.columns == tuple(SCHEMA.names) for part in pool.parts)
    for part in pool.parts:
        table = pq.read_table(tiny_pool / "metadata" / f"{part.name}.parquet")
        assert table.schema.equals(SCHEMA)
        for key in FEATURE_KEYS:
            features = pool.features(part, key)
            assert (features.shape, features.dtype) == ((100, 32), np.float16)


def test_a_sample_is_what_img2dataset_writes(tiny_pool):
    samples = open_pool(str(tiny_pool)).samples()
    sample = samples.read(5)
    place = samples.samples[5]
    tar = (tiny_pool / "shards" / sample.shard).read_bytes()
    start = int(place["json_offset"])
    meta = json.loads(tar[start : start + int(place["json_size"])])
    assert (meta["uid"], meta["key"], meta["caption"]) == (sample.uid, sample.key, sample.caption)
    assert (meta["width"], meta["height"]) == sample.decode().size
    assert meta["sha256"] == hashlib.sha256(sample.image).hexdigest()
    assert meta["status"] == "success"
    assert max(meta["width"], meta["height"]) <= 72


def test_dead_links_are_in_the_metadata_and_not_in_the_shards(tiny_pool):
    manifest = open_pool(str(tiny_pool)).require_manifest()
    assert (manifest.n_rows, manifest.n_samples, manifest.n_dead) == (400, 380, 20)
    stats = [json.loads(f.read_text()) for f in sorted((tiny_pool / "shards").glob("*.json"))]
    assert sum(s["count"] for s in stats) == 400
    assert sum(s["failed_to_download"] for s in stats) == 20
    assert all(s["successes"] == s["status_dict"]["success"] for s in stats)


def test_the_truth_is_complete_and_no_filter_can_read_it(tiny_pool):
    pool = open_pool(str(tiny_pool))
    truth = pool.truth()
    uids = [uid for part in pool.parts for uid in pool.read(part, ["uid"])["uid"].to_pylist()]
    assert truth["uid"].to_pylist() == uids
    assert Counter(truth["truth_kind"].to_pylist()) == CONFIG.counts()
    with pytest.raises(PoolError, match="no column 'truth_kind'"):
        pool.read(pool.parts[0], ["truth_kind"])
    everything = b"".join(f.read_bytes() for f in (tiny_pool / "shards").iterdir())
    assert not any(kind.encode() in everything for kind in KINDS if kind != "clean")


def test_scores_are_cosines_of_the_stored_features(tiny_pool):
    pool = open_pool(str(tiny_pool))
    part = pool.parts[0]
    for arch in ("b32", "l14"):
        a = pool.features(part, f"{arch}_img").astype(float)
        b = pool.features(part, f"{arch}_txt").astype(float)
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        column = pool.read(part, [f"clip_{arch}_similarity_score"]).column(0).to_numpy()
        np.testing.assert_allclose(column, cosine, atol=1e-6)
    assert not np.array_equal(pool.features(part, "b32_img"), pool.features(part, "l14_img"))


def test_kinds_are_mixed_over_all_parts(tiny_pool):
    for file in (tiny_pool / "truth").iterdir():
        kinds = Counter(pq.read_table(file)["truth_kind"].to_pylist())
        assert 20 <= kinds["clean"] <= 50
        assert 8 <= kinds["wrong_caption"] <= 32


def test_right_captions_name_the_picture_and_wrong_ones_another(plan, rows):
    for row in rows:
        name = plan.pictures[row.picture].concept.name.lower()
        if row.kind in ("clean", "bad_geometry", "near_duplicate"):
            assert name in row.caption.lower()
        if row.kind in ("wrong_caption", "text_shortcut"):
            assert row.caption.lower() != name


def test_most_english_captions_have_three_words_and_not_all(rows):
    words = [len(row.caption.split()) for row in rows if row.kind == "clean"]
    assert 0.7 < np.mean(np.array(words) > 2) < 0.98


def test_other_languages_do_not_use_the_english_name(plan, rows):
    foreign = [row for row in rows if row.kind == "other_language"]
    names = [plan.pictures[row.picture].concept.names for row in foreign]
    assert all(
        any(name in row.caption for language, name in known.items() if language != "en")
        for row, known in zip(foreign, names, strict=True)
    )


def test_only_bad_geometry_breaks_the_size_rules(rows):
    for row in rows:
        short, long = sorted((row.width, row.height))
        assert (short < 200 or long / short > 3) == (row.kind == "bad_geometry")


def test_bad_geometry_shows_in_the_stored_picture(plan, rows):
    sizes = [Painter(plan).draw(row).size for row in rows if row.kind == "bad_geometry"]
    assert all(max(size) <= 48 or max(size) / min(size) >= 3 for size in sizes)


def test_a_near_duplicate_looks_like_its_source_and_shares_its_caption(plan, rows):
    painter = Painter(plan)

    def look(row):
        image = painter.draw(row).convert("L").resize((8, 8), Image.Resampling.BOX)
        return np.asarray(image, float).ravel()

    likeness = []
    for row in rows:
        if row.kind == "near_duplicate":
            source = plan.row(row.source)
            assert (source.kind, source.caption) == ("clean", row.caption)
            assert painter.draw(row).tobytes() != painter.draw(source).tobytes()
            likeness.append(np.corrcoef(look(row), look(source))[0, 1])
    assert np.median(likeness) > 0.85


def test_the_name_in_the_caption_is_written_over_part_of_another_picture(plan, rows):
    painter = Painter(plan)
    changed = []
    for row in rows:
        assert (row.written is not None) == (row.kind == "text_shortcut")
        if row.written is not None:
            assert row.written.lower() in row.caption.lower()
            assert row.written != plan.label(row)
            plain = np.asarray(painter.draw(replace(row, written=None)), int)
            written = np.asarray(painter.draw(row), int)
            changed.append((np.abs(plain - written).max(axis=2) > 40).mean())
    assert min(changed) > 0.01
    assert max(changed) < 0.6
    assert 0.05 < np.median(changed) < 0.4


@pytest.mark.parametrize("words", ["ox", "person in motorized wheelchair facing right", "piñata"])
@pytest.mark.parametrize("size", [(72, 72), (72, 54), (54, 72)])
def test_words_stay_where_an_encoder_sees_them(words, size):
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    for seed in range(20):
        image = Image.new("RGB", size, "#808080")
        write_over(image, words, Random(seed))
        # Letters and their edges are black and white; a strip may reach further than they.
        dark = np.asarray(image.convert("L")) < 60
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        assert top - 1 <= rows[0] <= rows[-1] <= top + side
        assert left - 1 <= columns[0] <= columns[-1] <= left + side


def test_every_picture_serves_about_equally_often(plan):
    clean = Counter(plan.picture_of[plan.kinds == 0].tolist())
    assert max(clean.values()) - min(clean.values()) <= 1


def test_a_teacher_pool_has_no_scores_and_no_features(tmp_path):
    config = TinyConfig(rows=40, mix={"clean": 1.0}, split="teacher", dead_share=0)
    build_tiny(tmp_path / "pool", config)
    pool = open_pool(str(tmp_path / "pool"))
    assert "clip_l14_similarity_score" not in pool.parts[0].columns
    assert not any(part.has_features for part in pool.parts)
    assert set(pool.truth()["truth_kind"].to_pylist()) == {"clean"}
    assert pool.require_manifest().n_samples == 40


def test_without_images_there_are_rows_and_invented_scores_only(tmp_path):
    manifest = build_tiny(tmp_path / "pool", TinyConfig(rows=5000, images=False))
    pool = open_pool(str(tmp_path / "pool"))
    assert (manifest.n_rows, manifest.shards, manifest.n_dead) == (5000, (), 0)
    assert manifest.origin["scores"].startswith("invented")
    kinds = pool.truth()["truth_kind"].to_numpy(zero_copy_only=False)
    column = "clip_l14_similarity_score"
    scores = np.concatenate([pool.read(part, [column])[column].to_numpy() for part in pool.parts])
    assert scores[kinds == "clean"].mean() - scores[kinds == "wrong_caption"].mean() > 0.1


def test_the_manifest_names_sources_licences_and_parameters(tiny_pool):
    manifest = open_pool(str(tiny_pool)).require_manifest()
    assert {"Twemoji", "OpenMoji"} <= {s["what"].split()[-1] for s in manifest.sources}
    assert all(source["licence"] for source in manifest.sources)
    assert manifest.origin["seed"] == 0
    assert manifest.origin["mix"]["wrong_caption"] == 0.2
    assert manifest.origin["scores"].startswith("l14: fake;")


def test_building_again_does_nothing_and_building_over_another_is_refused(
    tiny_pool, fake_encoder, tmp_path
):
    before = (tiny_pool / "pool.json").stat().st_mtime_ns
    build_tiny(tiny_pool, CONFIG, fake_encoder)
    assert (tiny_pool / "pool.json").stat().st_mtime_ns == before
    with pytest.raises(PoolError, match="holds a pool with other rows, seed"):
        require_place(tiny_pool, TinyConfig(rows=401, seed=2, shard_rows=60, dead_share=0.05))
    with pytest.raises(PoolError, match="same pool with other scores"):
        build_tiny(tiny_pool, CONFIG)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(PoolError, match="is no tiny pool"):
        build_tiny(tmp_path / "mine", CONFIG)
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_a_stopped_build_leaves_nothing_and_starts_over(tiny_pool, tmp_path, fake_encoder):
    class Stops:
        name = fake_encoder.name
        calls = 0

        def encode_image(self, images):
            self.calls += 1
            if self.calls > 3:
                raise KeyboardInterrupt
            return fake_encoder.encode_image(images)

        encode_text = staticmethod(fake_encoder.encode_text)

    with pytest.raises(KeyboardInterrupt):
        build_tiny(tmp_path / "pool", CONFIG, Stops())
    assert not (tmp_path / "pool").exists()
    build_tiny(tmp_path / "pool", CONFIG, fake_encoder)
    assert tree(tmp_path / "pool") == tree(tiny_pool)
    assert [path.name for path in tmp_path.iterdir()] == ["pool"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rows": 3}, "at least 4 rows, got 3"),
        ({"mix": {"clear": 1.0}}, "no kind of row is named 'clear'"),
        ({"mix": {"clean": -1.0}}, "not negative"),
        ({"mix": {"clean": 0.0}}, "not negative"),
        ({"mix": {"near_duplicate": 1.0}}, "of which this mix has none"),
        ({"shard_rows": 2000}, "1 to 1,000 rows, got 2000"),
        ({"dead_share": 1.0}, "got 1.0"),
    ],
)
def test_impossible_parameters_are_refused(options, says):
    with pytest.raises(UsageError, match=says):
        TinyConfig(**options)


def test_counts_follow_the_mix_and_add_up():
    assert TinyConfig().counts() == {
        "clean": 4200,
        "wrong_caption": 2400,
        "other_language": 1200,
        "junk": 1200,
        "bad_geometry": 600,
        "text_shortcut": 1200,
        "near_duplicate": 1200,
    }
    odd = TinyConfig(rows=1001, mix=parse_mix("clean=2, junk=1")).counts()
    assert (odd["clean"], odd["junk"]) == (667, 334)


def test_a_mix_that_cannot_be_read_is_refused():
    with pytest.raises(UsageError, match="'junk' in the mix 'clean=1,junk' is not KIND=SHARE"):
        parse_mix("clean=1,junk")


def test_stored_pictures_decode_to_rgb(tiny_pool):
    samples = open_pool(str(tiny_pool)).samples()
    assert all(decode_image(samples.read(i).image).mode == "RGB" for i in range(0, 380, 20))
    assert Image.open(io.BytesIO(samples.read(0).image)).format == "JPEG"
