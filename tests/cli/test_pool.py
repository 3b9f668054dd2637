"""`datacomp pool` as a user types it; what a pool is, is tested in tests/pool."""

import json
import shutil

import pytest
from PIL import Image
from typer.testing import CliRunner

from datacomp.cli.pool import app
from datacomp.errors import PoolError, UsageError
from datacomp.pool import open_pool
from datacomp.subset import Subset, format_uids, write_subset


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "pool"
    words = ["build", "tiny", str(path), "--rows", "80", "--no-teacher"]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    return path


@pytest.fixture
def pool(built, tmp_path):
    """A copy, where commands look when no pool is named."""
    place = tmp_path / "pools" / "tiny"
    shutil.copytree(built, place)
    return place


def call(*words, exit_code=0):
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    assert max((len(line) for line in result.stdout.splitlines()), default=0) <= 80
    return result.stdout


def call_json(*words):
    return CliRunner().invoke(app, list(words), catch_exceptions=False).stdout


def test_build_tiny_builds_in_the_workspace_and_says_what_it_built(workspace):
    words = ["build", "tiny", "--rows", "40", "--no-teacher", "--mix", "clean=3,junk=1"]
    output = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "40 in 4 metadata files" in output
    assert "clean 75%, junk 25%" in output
    assert "Twemoji (CC-BY 4.0)" in output
    kinds = open_pool(str(workspace / "pools" / "tiny")).truth()["truth_kind"].to_pylist()
    assert sorted(set(kinds)) == ["clean", "junk"]


def test_build_tiny_without_images_needs_no_teacher(workspace):
    output = (
        CliRunner()
        .invoke(
            app, ["build", "tiny", "fast", "--rows", "2000", "--no-images"], catch_exceptions=False
        )
        .stdout
    )
    assert "shards    none: metadata only" in output
    assert not (workspace / "fast" / "shards").exists()


def test_build_tiny_refuses_a_place_that_is_taken(pool):
    with pytest.raises(PoolError, match="holds a pool with other rows"):
        call("build", "tiny")


def test_info_says_what_is_in_the_pool(pool):
    output = call("info", "pools/tiny")
    manifest = open_pool(str(pool)).require_manifest()
    assert manifest.pool_id in output
    assert "79 in 4 shards" in output
    assert "1 rows (1.2%)" in output
    assert "problems  none" in output
    assert json.loads(call_json("info", "--json"))["pool_id"] == manifest.pool_id


def test_info_of_a_pool_without_index_says_what_to_do(pool):
    (pool / "pool.json").unlink()
    output = call("info", "pools/tiny")
    assert "is not indexed" in output
    assert "datacomp pool index pools/tiny" in output
    with pytest.raises(PoolError, match="Run: datacomp pool index"):
        call("info", "--json")


def test_index_of_a_whole_pool_finds_no_problem(pool):
    output = call("index")
    assert "4 kept from before" in output
    assert "problems  none" in output


def test_index_names_problems_and_exits_with_1_unless_they_are_accepted(pool):
    tar = pool / "shards" / "00000002.tar"
    tar.write_bytes(tar.read_bytes()[:30_000])
    (pool / "shards" / "00000001.tar").unlink()
    output = call("index", exit_code=1)
    for fact in ("shard_gap", "shards/00000001.tar", "truncated_tar", "shards/00000002.tar"):
        assert fact in output
    assert "shards/00000002.tar" in call("index", "--accept-problems")
    counts = json.loads(call_json("index", "--accept-problems", "--json"))["problem_counts"]
    assert counts == {"shard_gap": 1, "stats_mismatch": 1, "truncated_tar": 1}
    assert "truncated_tar" in call("info", "pools/tiny")


def test_index_looks_at_pictures_when_asked(pool):
    sample = open_pool(str(pool)).samples().read(0)
    tar = pool / "shards" / sample.shard
    tar.write_bytes(tar.read_bytes().replace(sample.image[:200], bytes(200)))
    call("index")
    assert f"corrupt_image: shards/{sample.shard}" in call("index", "--verify-images", exit_code=1)


def test_show_draws_a_random_sample(pool, workspace):
    assert "wrote contact-sheet.png" in call("show", "-n", "8", "--columns", "4")
    with Image.open(workspace / "contact-sheet.png") as image:
        assert image.width < 1000 < image.width + image.height


@pytest.mark.parametrize("choice", ["uid", "subset", "truth"])
def test_show_draws_a_choice(pool, workspace, choice):
    uids = open_pool(str(pool)).samples().uids[:3]
    write_subset(Subset.from_uids(uids), workspace / "mine.npy", {})
    value = {"uid": format_uids(uids)[0], "subset": "mine.npy", "truth": "clean"}[choice]
    call("show", f"--{choice}", value, "-o", "sheet.png")
    assert (workspace / "sheet.png").exists()


def test_show_refuses_two_choices(pool):
    with pytest.raises(UsageError, match="give one of"):
        call("show", "--truth", "clean", "--uid", "0" * 32)


def test_build_trusted_builds_in_the_workspace_or_where_it_is_told(workspace, monkeypatch):
    from datacomp.training import teacher

    places = []

    def build(place, progress):
        places.append(place)
        shutil.copytree("source", place)

    call("build", "tiny", "source", "--rows", "40", "--no-teacher", "--mix", "clean=1")
    monkeypatch.setattr(teacher, "build_trusted", build)
    assert "clean 100%" in call_json("build", "trusted")
    call("build", "trusted", "-o", "elsewhere")
    assert [str(place.relative_to(workspace)) for place in map(workspace.joinpath, places)] == [
        "pools/trusted",
        "elsewhere",
    ]
