"""What methods need first is made once, and made again from where it was; at the smoke scale."""

from pathlib import Path

import pytest

from datacomp.demo import needs
from datacomp.demo.needs import EARLY_RUNS, Site, provide
from datacomp.errors import UnknownNameError
from datacomp.pool import open_pool
from datacomp.pool.indexing import silent
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training import load_scale, read_run

SMALL = {"rows": 120, "shard_rows": 30, "dead_share": 0.0}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A small pool, and a trusted set that no teacher looked at."""
    config = TinyConfig(**SMALL, seed=1, mix={"clean": 1.0}, split="teacher", labels=True)
    monkeypatch.setattr(needs, "build_trusted", lambda place, progress: build_tiny(place, config))
    build_tiny(tmp_path / "pools" / "tiny", TinyConfig(**SMALL))
    return Site(tmp_path, open_pool(str(tmp_path / "pools" / "tiny")), "smoke", silent)


def test_runs_are_trained_once_on_their_own_pools(site):
    made = provide(["dfn", "early", "trusted"], site)
    trusted = open_pool(made["trusted"]).require_manifest().pool_id
    dfn, early = Path(made["dfn"]), [Path(run) for run in made["early"].split(",")]
    assert read_run(dfn).pool_id == trusted
    assert read_run(dfn).recipe_id == load_scale("smoke").recipe_id
    assert [read_run(run).seed for run in early] == list(range(EARLY_RUNS))
    assert read_run(early[0]).pool_id == site.pool.require_manifest().pool_id
    assert read_run(early[0]).samples_seen < read_run(dfn).samples_seen / 2
    before = {path: path.stat().st_mtime_ns for path in site.folder.rglob("*.safetensors")}
    assert provide(["dfn", "early", "trusted"], site) == made
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_names_are_the_trusted_sets_classes(site):
    names = Path(provide(["names"], site)["names"]).read_text().splitlines()
    assert 10 < len(names) <= 120
    assert names == sorted(set(names))


def test_an_unknown_need_is_refused(site):
    with pytest.raises(UnknownNameError, match="Did you mean 'trusted'"):
        provide(["trustd"], site)
