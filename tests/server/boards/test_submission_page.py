"""The page of one submission: kept like a board's, and all that it shows of what came with it."""

import html
import re

import pytest

from datacomp_server.boards.rendering import Workroom
from support.profiles import make_profile


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def test_visits_cost_one_rendering(make_service, make_report, monkeypatch):
    service, rendered = make_service(board_seconds=3600), []
    render = Workroom.render

    def counting(workroom, view, version):
        rendered.append(view)
        return render(workroom, view, version)

    monkeypatch.setattr(Workroom, "render", counting)
    ids = [service.submit(make_report(seed=seed)).json()["id"] for seed in range(2)]

    pages = [service.http.get(f"/s/{one}").text for one in (*ids, *ids)]

    assert len(rendered) == 2
    assert all(f"/s/{ids[1]}" in page and "seed 1" in page for page in pages)


def test_what_came_with_it_is_shown_as_text(service, make_report):
    hostile = ("<script>alert(1)</script>", "مرحبا 👩‍🚀", "x" * 200)
    profile = make_profile(kept=hostile, dropped=())
    out = service.submit(make_report(), method="<i>mine</i>", profile=profile).json()

    page = service.http.get(f"/s/{out['id']}")

    assert "<script>alert" not in page.text
    assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>" in page.text
    assert "<i>mine" not in page.text
    text = text_of(page)
    assert "over all 12,000 rows of the pool; made by its team" in text
    assert "9,000 entries of 8,000 different samples" in text
    assert "512 images/s" in text
    assert f"@misc{{datacomp-{out['id'].lower()}" in text


def test_the_twins_of_its_parts(service, make_report):
    out = service.submit(make_report(), profile=make_profile()).json()
    base = f"/s/{out['id']}"

    tables = {
        name: service.http.get(f"{base}/{name}.json").json()["rows"]
        for name in ("tasks", "captions", "portrait_clip_l14", "repeats", "loss")
    }

    assert len(tables["tasks"]) == len(service.http.get(f"{base}.json").json()["rows"]) == 10
    assert [row["kept"] for row in tables["captions"]] == [True, True, False]
    assert len(tables["portrait_clip_l14"]) == 60
    assert tables["repeats"][0]
    assert len(tables["loss"]) == 20


def test_without_a_profile_it_says_so(service, make_report):
    out = service.submit(make_report()).json()

    text = text_of(service.http.get(f"/s/{out['id']}"))

    assert "handed in without a portrait of its subset" in text
    assert "its subset's file was not handed in" in text
    assert "Training loss" not in text


@pytest.mark.parametrize("reference", ["leader", "baseline", "median"])
def test_beside_a_reference(service, make_report, reference):
    levels = {"low": 0.2, "mine": 0.3, "high": 0.4, "higher": 0.45}
    ids = {
        method: service.submit(make_report(level=level, seed=i), method=method).json()["id"]
        for i, (method, level) in enumerate(levels.items())
    }

    page = service.http.get(f"/s/{ids['mine']}?reference={reference}&sort=delta")

    text = text_of(page)
    if reference == "baseline":
        assert "The board does not have the best baseline" in text
        return
    assert re.search(r"0 tasks above it beyond noise, \d+ below", text)
    rows = service.http.get(f"/s/{ids['mine']}/fingerprint.json?reference={reference}").json()
    expected = 0.45 if reference == "leader" else 0.4
    assert rows["rows"][0]["reference"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("query", ["reference=nobody", "sort=colour", "nonsense=1"])
def test_what_means_nothing_is_refused(service, make_report, query):
    out = service.submit(make_report()).json()

    assert service.http.get(f"/s/{out['id']}?{query}").status_code == 400


def test_a_stranger_is_not_found(service):
    assert service.http.get("/s/01ARZ3NDEKTSV4RRFFQ69G5FAV").status_code == 404


def test_what_was_said_of_it_stands_beside_its_name(service, make_report):
    out = service.submit(make_report()).json()
    url = f"/api/v1/submissions/{out['id']}/withdrawal"
    service.http.post(url, json={"reason": "a wrong subset"}, headers=service.auth())

    page = service.http.get(f"/s/{out['id']}")

    assert '<span class="mark">withdrawn</span></h1>' in page.text
    assert "Its team withdrew it: a wrong subset" in text_of(page)
