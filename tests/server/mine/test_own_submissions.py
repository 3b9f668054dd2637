"""A person's own submissions: whose, where they stand, and what to do next."""

from types import SimpleNamespace

import pytest

from datacomp.submission.levels import Level
from datacomp_server.mine.views import next_step
from datacomp_server.submissions import marks
from datacomp_server.submissions import service as submissions
from datacomp_server.submissions.models import Verdict
from datacomp_server.submissions.notices import Notice
from datacomp_server.submissions.states import State
from support.browsers import SignedInBrowser, sign_in

URL = "/account/submissions"


@pytest.fixture
def ada(service):
    """Ada's browser; she owns Alpha."""
    return sign_in(service, "Ada", team="Alpha")


def step(state=State.ACCEPTED, *, roles=(), level=Level.REPORTED, notice=None, said=(), jobs=()):
    made = SimpleNamespace(id="X", files=[SimpleNamespace(role=role) for role in roles])
    return next_step(made, state, notice, level, said, jobs)


def test_what_to_do_next():
    notice = Notice("budget_spent", "It costs too much.", "datacomp request X re-trained")

    assert step(roles=("checkpoint",)).command == "datacomp request X re-evaluated"
    assert step(roles=("subset",)).command == "datacomp request X re-trained"
    assert step(roles=("subset",), level=Level.RE_TRAINED).command.endswith("reproduced")
    assert step(roles=("subset",), level=Level.REPRODUCED).command is None
    assert step().command == "datacomp withdraw X"
    assert step(roles=("subset",), jobs=("a job",)).command is None
    assert step(notice=notice).command == notice.command
    assert "takes part no more" in step(notice=notice, said=("withdrawn",)).words
    assert "hand it in again" in step(State.REFUSED).words


def test_for_members_alone(service, ada, make_report):
    service.submit(make_report(), "of <b>Alpha</b>", "Alpha")
    service.submit(make_report(level=0.4), "of Beta", "Beta")
    text = ada.text(URL)

    assert "of &lt;b&gt;Alpha&lt;/b&gt;" in text
    assert "of Beta" not in text
    assert SignedInBrowser(service, None).get(URL).headers["location"].startswith("/sign-in")
    assert ada.get(f"{URL}?team={'0' * 26}").status_code == 404


def test_nobody_has_handed_in_anything(service, ada):
    assert "How to submit" in ada.text(URL)
    assert "in no team yet" in sign_in(service, "Eve").text(URL)


def test_ranks_and_marks(service, ada, make_report):
    first = service.submit(make_report(level=0.4), "first").json()["id"]
    with service.context.database.writing() as session:
        found = submissions.get(session, first)
        moment = service.context.clock()
        marks.mark(session, found, "withdrawn", by="team:Alpha", moment=moment)
    text = ada.text(URL)

    assert '<span class="mark">withdrawn</span>' in text
    assert "takes part no more" in text


def test_why_one_was_refused_is_told_to_its_team(service, ada, make_report):
    one = service.submit(make_report(), "mine").json()["id"]
    finding = {"code": "F107", "message": "the file's n is <3>, the report's is 4"}
    with service.context.database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM verdict")
        session.add(
            Verdict(submission_id=one, accepted=False, findings=[finding], facts={}, validator="v")
        )
    text = ada.text(URL)

    assert "the file&#39;s n is &lt;3&gt;" in text
    assert 'href="/docs/submit#F107"' in text


def test_pages_of_fifty(service, ada, make_report, monkeypatch):
    monkeypatch.setattr("datacomp_server.mine.views.PAGE_LINES", 2)
    for seed in range(3):
        service.submit(make_report(seed=seed, level=0.2 + seed / 10), f"m{seed}")
    text = ada.text(URL)

    assert (">m2<" in text, ">m0<" in text) == (True, False)
    before = text.split("before=")[1].split('"')[0]
    older = ada.text(f"{URL}?before={before}")
    assert ">m0<" in older
    assert "Older ones" not in older
