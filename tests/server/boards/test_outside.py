"""Badges and frames: what other sites show of a board."""

import xml.etree.ElementTree as ET

from datacomp_server.showcase import fill_showcase
from datacomp_server.submissions import marks
from datacomp_server.submissions.models import Submission


def badge(service, row_id):
    answer = service.http.get(f"/badge/{row_id}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    return ET.fromstring(answer.text).get("aria-label")


def test_a_badge_says_where_a_submission_stands(service, make_report):
    out = service.submit(make_report(level=0.3), method="mine").json()
    assert badge(service, out["id"]) == "DataComp tiny: unranked · reported"

    with service.context.database.writing() as session:
        found = session.get_one(Submission, out["id"])
        marks.mark(session, found, "withdrawn", by="team:Alpha", moment=service.context.clock())
    assert badge(service, out["id"]) == "DataComp tiny: withdrawn"


def test_a_badge_is_asked_for_again_at_no_cost(service, make_report):
    out = service.submit(make_report(level=0.3)).json()
    first = service.http.get(f"/badge/{out['id']}.svg")
    asked = {"If-None-Match": first.headers["etag"]}
    assert service.http.get(f"/badge/{out['id']}.svg", headers=asked).status_code == 304


def test_there_is_no_badge_of_nothing(service):
    assert service.http.get("/badge/none.svg").status_code == 404


def test_a_published_number_has_a_badge_and_stands_in_the_frame(service):
    fill_showcase(service.context)
    row = service.http.get("/api/v1/boards/xlarge").json()["rows"][0]
    assert badge(service, row["id"]) == "DataComp xlarge: published"
    assert row["method"] in service.http.get("/embed/b/xlarge").text


def test_a_board_may_stand_in_a_frame_of_another_site(service, make_report):
    service.submit(make_report(level=0.3), method="<b>mine</b>")
    answer = service.http.get("/embed/b/tiny")
    assert answer.headers["content-security-policy"].endswith("frame-ancestors *")
    assert "&lt;b&gt;mine" in answer.text
    assert "<script" not in answer.text
    assert "No report yet" in service.http.get("/embed/b/tiny?track=byod").text


def test_what_is_no_board_is_not_framed(service):
    assert service.http.get("/embed/b/none").status_code == 404
    assert service.http.get("/embed/b/tiny?track=none").status_code == 400
