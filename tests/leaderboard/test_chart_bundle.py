"""The charts' JavaScript: built from what is pinned, and served so that it cannot be another."""

import base64
import hashlib
import importlib.util
from pathlib import Path

import pytest
import vl_convert

from datacomp_leaderboard import render

HOOK = Path(__file__).parents[2] / "leaderboard" / "hatch_build.py"


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """The build hook, writing under a folder of the test."""
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUNDLE", tmp_path / "vendor" / "vega-embed.js")
    return module


def test_the_bundle_is_there():
    assert render.chart_bundle() is not None, (
        "the charts' JavaScript is missing; install again (pip install -e .), or run: "
        "python leaderboard/hatch_build.py"
    )


def test_a_browser_takes_no_other_than_this_bundle():
    bundle = render.chart_bundle()

    content = (render.STATIC / "vendor" / "vega-embed.js").read_bytes()
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    assert bundle.integrity == f"sha384-{digest}"
    assert bundle.address == render.asset("vendor/vega-embed.js")


def test_the_hook_writes_what_is_pinned_once(hook):
    assert hook.write_bundle()
    assert hashlib.sha256(hook.BUNDLE.read_bytes()).hexdigest() == hook.SHA256
    assert not hook.write_bundle()


def test_the_hook_replaces_another_bundle(hook):
    hook.BUNDLE.parent.mkdir()
    hook.BUNDLE.write_text("something else")

    assert hook.write_bundle()
    assert [path.name for path in hook.BUNDLE.parent.iterdir()] == ["vega-embed.js"]


def test_the_hook_refuses_a_version_that_nobody_looked_at(hook, monkeypatch):
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: "another")

    with pytest.raises(RuntimeError, match=r"expected 3425bd95.* build-system.requires"):
        hook.write_bundle()
    assert not hook.BUNDLE.exists()
