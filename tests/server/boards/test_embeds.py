"""A board's chart for other sites: in a frame, and as the picture beside a link."""

import io
import re

import pytest
from PIL import Image

SITE = "https://datacomp.example"


@pytest.fixture
def filled(service, make_report):
    """Two methods, which is the least for a chart."""
    service.submit(make_report(level=0.1), method="none")
    service.submit(make_report(level=0.3), method="<b>clip</b>", team="Beta")
    return service


def test_a_chart_may_stand_in_a_frame_of_another_site(filled):
    answer = filled.http.get("/embed/b/tiny/share")

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].endswith("frame-ancestors *")
    assert 'src="/b/tiny/share.svg"' in answer.text
    assert 'href="/b/tiny"' in answer.text
    assert "<script" not in answer.text
    assert answer.headers["etag"]


def test_a_frame_takes_the_query_of_the_page(filled):
    html = filled.http.get("/embed/b/tiny/share?sort=team").text

    assert 'src="/b/tiny/share.svg?sort=team"' in html


def test_what_is_no_chart_is_not_framed(filled):
    unknown = filled.http.get("/embed/b/tiny/none")

    assert unknown.status_code == 404
    assert "share" in unknown.json()["detail"]
    assert filled.http.get("/embed/b/gigantic/share").status_code == 404
    assert filled.http.get("/embed/account/share").status_code == 404


@pytest.mark.parametrize("path", ["/card/b/tiny.png", "/card/index.png", "/card/b/small.png"])
def test_every_page_has_a_picture_for_links(filled, path):
    answer = filled.http.get(path)

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)


def test_of_what_is_no_page_there_is_no_picture(filled):
    for path in ("/card/b/gigantic.png", "/card/account.png", "/card/b/tiny"):
        assert filled.http.get(path).status_code == 404


def test_a_service_that_knows_its_address_names_the_picture(make_service):
    html = make_service(public_url=SITE).http.get("/b/tiny?sort=team").text

    named = dict(re.findall(r'property="og:(\w+)" content="([^"]+)"', html))
    assert named["image"] == f"{SITE}/card/b/tiny.png?sort=team"
    assert named["url"] == f"{SITE}/b/tiny?sort=team"


def test_a_service_that_does_not_know_its_address_names_none(filled):
    assert "og:image" not in filled.http.get("/b/tiny").text


def test_a_service_that_cannot_draw_has_tables_and_says_so(filled, monkeypatch):
    for module in ("datacomp_leaderboard.board_view", "datacomp_server.boards.rendering"):
        monkeypatch.setattr(f"{module}.available", lambda: False)

    page = filled.http.get("/b/tiny").text
    assert "No picture: this service was installed without what draws charts." in page
    assert filled.http.get("/b/tiny/share.svg").status_code == 404
    assert filled.http.get("/card/b/tiny.png").status_code == 404
    assert filled.http.get("/b/tiny/share.csv").status_code == 200
