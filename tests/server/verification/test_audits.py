"""Audit rounds: the seed cannot be chosen after the entries, and anyone can repeat the draw."""

import pytest
from sqlalchemy import select

from datacomp_server.boards.models import Board
from datacomp_server.jobs.costs import COSTS
from datacomp_server.kit.errors import Conflict, NotFound, Refused
from datacomp_server.submissions.models import SubmissionFile
from datacomp_server.verification import audits
from datacomp_server.verification.draw import draw
from datacomp_server.verification.models import AuditRound

SEED = "ab" * 32
BY = "organiser:Ada"


def commit(service, seed=SEED, share=0.5):
    with service.context.database.writing() as session:
        board = session.scalars(select(Board).filter_by(scale="tiny", track="filtering")).one()
        moment = service.context.clock()
        return audits.commit(session, board, seed=seed, share=share, by=BY, moment=moment).id


def reveal(service, round_id, seed=SEED):
    moment = service.context.clock()
    with service.context.database.writing() as session:
        return audits.draw_round(session, round_id, seed=seed, by=BY, moment=moment).chosen


def check(service, round_id):
    with service.context.database.reading() as session:
        return audits.check_round(session, round_id)


@pytest.fixture
def entries(service, make_report):
    return [service.submit(make_report(seed=seed)).json()["id"] for seed in range(6)]


def test_a_round_from_commitment_to_draw(service, entries):
    round_id = commit(service)
    (before,) = service.http.get("/api/v1/audits").json()["rounds"]
    chosen = reveal(service, round_id)
    (after,) = service.http.get("/api/v1/audits").json()["rounds"]

    assert (before["seed"], before["chosen"]) == (None, None)
    assert chosen == draw(SEED, entries, 0.5)
    assert (after["seed"], after["chosen"]) == (SEED, chosen)
    assert after["commitment"] == before["commitment"]
    assert check(service, round_id) == []


def test_entries_after_the_draw_take_no_part(service, entries, make_report):
    round_id = commit(service, share=1.0)
    assert reveal(service, round_id) == sorted(entries)
    service.submit(make_report(seed=99))

    assert check(service, round_id) == []


def test_another_seed_is_refused(service, entries):
    round_id = commit(service)
    with pytest.raises(Refused, match="not the seed of this round"):
        reveal(service, round_id, "cd" * 32)


def test_a_round_is_drawn_once(service, entries):
    round_id = commit(service)
    reveal(service, round_id)
    with pytest.raises(Conflict, match="was drawn at"):
        reveal(service, round_id)


def test_a_round_that_is_none(service):
    with pytest.raises(NotFound, match="audit list"):
        reveal(service, "none")


def test_a_share_that_is_none(service):
    for share in (0.0, 1.5, -1.0):
        with pytest.raises(Refused, match="share"):
            commit(service, share=share)


def test_whom_a_draw_chose_is_verified_by_what_they_handed_in(service, entries):
    moment, by_role = service.context.clock(), {"checkpoint": entries[0], "subset": entries[1]}
    with service.context.database.writing() as session:
        for role, one in by_role.items():
            session.add(SubmissionFile(submission_id=one, role=role, sha256="a" * 64, size=1))
    round_id = commit(service, share=1.0)
    reveal(service, round_id)

    def verify():
        with service.context.database.writing() as session:
            return dict(audits.verify_chosen(session, round_id, BY, COSTS, moment=moment))

    told = verify()
    assert told[entries[0]] == "2 jobs queued, to be re-evaluated"
    assert told[entries[1]] == "3 jobs queued, to be re-trained"
    assert "without files" in told[entries[2]]
    assert "under way" in verify()[entries[0]]


def test_a_round_that_is_not_drawn_has_nobody_to_verify(service):
    round_id = commit(service)
    with (
        pytest.raises(Conflict, match="not been drawn"),
        service.context.database.writing() as session,
    ):
        audits.verify_chosen(session, round_id, BY, COSTS, moment=service.context.clock())


def test_a_tampered_draw_is_found(service, entries):
    # The ids are new each time: a seed that chooses some of them, and not all.
    seeds = (f"{number:064x}" for number in range(1000))
    seed = next(one for one in seeds if 0 < len(draw(one, entries, 0.5)) < len(entries))
    round_id = commit(service, seed)
    chosen = reveal(service, round_id, seed)
    extra = next(one for one in entries if one not in chosen)
    with service.context.database.writing() as session:
        session.get(AuditRound, round_id).chosen = [*chosen[1:], extra]

    assert check(service, round_id) == [
        f"{chosen[0]} should have been chosen",
        f"{extra} should not have been chosen",
    ]
