"""Pages of organisers: who reaches them, what they show, what their forms do."""

import re

import pytest
from sqlalchemy import select

from datacomp_server.artifacts.models import Artifact
from datacomp_server.audit.models import Event
from datacomp_server.boards import opening, ruling
from datacomp_server.budgets import service as budgets
from datacomp_server.identity import accounts
from datacomp_server.identity import service as tokens
from datacomp_server.submissions import marks
from datacomp_server.submissions import service as submissions
from datacomp_server.submissions.models import SubmissionFile

PAGES = ["", "/budgets", "/workers", "/rules", "/audits"]


@pytest.fixture
def submit(service, make_report):
    """`submit(method, level, team)`: the id of a new submission."""

    def make(method="mine", level=0.3, team="Alpha", **fields):
        answer = service.submit(make_report(level=level, **fields), method, team)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    return make


@pytest.fixture
def with_subset(service, submit):
    """The id of a submission with a subset that a worker can train on."""
    one = submit()
    with service.context.database.writing() as session:
        file = SubmissionFile(submission_id=one, role="subset", sha256="5" * 64, size=1)
        session.add_all([Artifact(sha256="5" * 64, size=1), file])
    return one


@pytest.fixture
def mark(service):
    def make(submission, kind, reason=None):
        with service.context.database.writing() as session:
            found = submissions.get(session, submission)
            moment = service.context.clock()
            marks.mark(session, found, kind, reason=reason, by="team:Beta", moment=moment)

    return make


@pytest.fixture
def board(service):
    """The id of the board tiny."""
    with service.context.database.reading() as session:
        return opening.require_board(session, "filtering", "tiny").id


def actors(service, tag):
    with service.context.database.reading() as session:
        return list(session.scalars(select(Event.actor).where(Event.tag == tag)))


class TestWhoReachesThem:
    @pytest.mark.parametrize("path", PAGES)
    def test_organisers_alone(self, anybody, sign_in, olga, path):
        path = f"/organise{path}"
        assert anybody.get(path).headers["location"].startswith("/sign-in?next=%2Forganise")
        assert sign_in("Ada", team="Alpha").get(path).status_code == 404
        assert "<h1>" in olga.text(path)

    def test_no_form_of_anybody_else_does_anything(self, service, submit, anybody, sign_in):
        submission, ada = submit(), sign_in("Ada")
        for path in (
            *(f"/organise/submissions/{submission}/{what}" for what in ("verify", "mark", "check")),
            *("/organise/budgets", "/organise/rules", "/organise/audits"),
            *("/organise/workers/tokens", f"/organise/workers/tokens/{'0' * 26}/revoke"),
            *(f"/organise/audits/{'0' * 26}/{what}" for what in ("draw", "verify")),
        ):
            assert ada.post(path, kind="withdrawn").status_code == 404, path
            assert anybody.post(path).status_code == 303, path
        assert actors(service, "submission:withdrawn") == []

    def test_a_foreign_page_cannot_use_an_organisers_browser(self, service, submit, olga):
        path = f"/organise/submissions/{submit()}/mark"

        assert olga.post(path, site="cross-site", kind="disqualified").status_code == 403
        assert actors(service, "submission:disqualified") == []

    def test_who_no_longer_organises_is_out(self, service, sign_in):
        eve = sign_in("Eve", organiser=True)
        with service.context.database.writing() as session:
            account = accounts.of_name(session, "Eve")
            accounts.set_organiser(session, account, False, moment=service.context.clock())
        assert eve.get("/organise").status_code == 404


class TestReview:
    def test_nothing(self, olga):
        assert "Nothing speaks against anything" in olga.text("/organise")

    def test_the_most_suspicious_first(self, olga, submit, mark):
        calm = submit("calm", 0.2, subset={"sha256": "a" * 64})
        doubted = submit("<i>doubted</i>", 0.3, "Beta", subset={"sha256": "b" * 64})
        upheld = submit("upheld", 0.4, "Gamma", subset={"sha256": "c" * 64})
        out = submit("out", 0.5, "Delta", subset={"sha256": "d" * 64})
        mark(doubted, "challenged", "<script>alert(1)</script>")
        mark(upheld, "upheld")
        mark(out, "withdrawn")
        text = olga.text("/organise")

        shown = re.findall(r'href="/organise/submissions/(\w+)"', text)
        assert shown == [upheld, doubted, calm]
        assert "<script>alert" not in text
        assert "&lt;i&gt;doubted" in text

    def test_a_challenge_that_was_dismissed_is_over(self, olga, submit, mark):
        one = submit()
        mark(one, "challenged")
        assert "challenged by team:Beta" in olga.text("/organise")
        mark(one, "dismissed")
        assert "challenged by" not in olga.text("/organise")

    def test_the_same_numbers_and_the_same_subset(self, olga, submit):
        submit("first", 0.3)
        submit("second", 0.3, "Beta", seed=1)
        text = olga.text("/organise")

        assert text.count("the same numbers as 1 other submission<") == 2
        assert text.count("the subset of first by Alpha") == 1


class TestOneSubmission:
    def test_marks_are_the_organisers_own(self, service, olga, submit):
        path = f"/organise/submissions/{submit()}"
        assert olga.done(f"{path}/mark", kind="challenged", reason="<b>odd</b>") == path
        text = olga.text(path)

        assert actors(service, "submission:challenged") == ["organiser:Olga"]
        assert "&lt;b&gt;odd&lt;/b&gt;" in text

    @pytest.mark.parametrize("fields", [{"kind": "loved"}, {"kind": "upheld", "reason": "\x07"}])
    def test_a_wrong_mark_is_told_on_the_page(self, olga, submit, fields):
        answer = olga.post(f"/organise/submissions/{submit()}/mark", **fields)

        assert answer.status_code in (400, 422)
        assert "Not done:" in answer.text

    def test_what_cannot_be_verified_says_why(self, olga, submit):
        path = f"/organise/submissions/{submit()}"
        answer = olga.post(f"{path}/verify", level="re-evaluated")

        assert answer.status_code == 422
        assert "Not done:" in answer.text
        assert olga.post(f"{path}/verify", level="holy").status_code == 422
        assert olga.post(f"{path}/check").status_code == 409

    def test_jobs_are_planned_at_nobodys_cost(self, service, with_subset, olga):
        path = f"/organise/submissions/{with_subset}"
        assert "Plan it" in olga.text(path)
        olga.done(f"{path}/verify", level="re-trained")
        text = olga.text(path)

        assert text.count('href="/j/') == 3
        assert actors(service, "verification:planned") == ["organiser:Olga"]
        with service.context.database.reading() as session:
            (line,) = [
                b for b in budgets.of_team(session, "Alpha").budgets if b.unit != "submissions"
            ]
        assert line.left == line.granted

    def test_unknown(self, olga):
        assert olga.get(f"/organise/submissions/{'0' * 26}").status_code == 404

    def test_by_its_id(self, olga):
        one = "0" * 26
        assert olga.get(f"/organise/find?id={one}").headers["location"].endswith(one)
        assert olga.get("/organise/find?id=//evil.test").status_code == 422


class TestBudgets:
    def test_granting(self, service, olga, submit, board):
        submit()
        olga.done("/organise/budgets", team="Alpha", board=board, submissions=5, hours=1.5)
        text = olga.text("/organise/budgets")

        assert "1,004 of 1,005" in text
        assert actors(service, "budget:granted") == ["organiser:Olga"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"team": "Alpha"},
            {"team": "Nobody", "hours": 1},
            {"team": "Alpha", "board": "0" * 26, "hours": 1},
            {"team": "Alpha", "hours": -1},
            {"team": "Alpha", "hours": "nan"},
        ],
    )
    def test_what_cannot_be_granted(self, service, olga, submit, board, fields):
        submit()
        answer = olga.post("/organise/budgets", **{"board": board} | fields)

        assert answer.status_code in (404, 422)
        assert actors(service, "budget:granted") == []


class TestWorkers:
    def test_a_token_is_shown_once_and_can_be_revoked(self, service, olga):
        answer = olga.post("/organise/workers/tokens", name="cluster", days=30)
        secret = re.search(r"dcp_\w+", answer.text)[0]
        assert answer.headers["cache-control"] == "no-store"
        auth = {"Authorization": f"Bearer {secret}"}
        advert = {"name": "gpu-<1>", "classes": ["tiny"]}
        assert service.http.post(
            "/api/v1/worker/leases", json=advert, headers=auth
        ).status_code in (
            204,
            422,
        )
        text = olga.text("/organise/workers")
        assert secret not in text
        (token,) = re.findall(r"/organise/workers/tokens/(\w+)/revoke", text)

        olga.done(f"/organise/workers/tokens/{token}/revoke")
        assert service.http.get("/api/v1/me", headers=auth).status_code == 401
        assert "revoked" in olga.text("/organise/workers")

    def test_no_other_token_is_revoked_here(self, service, olga):
        service.token("Alpha")
        with service.context.database.reading() as session:
            (info,) = tokens.list_tokens(session)
        answer = olga.post(f"/organise/workers/tokens/{info.id}/revoke")

        assert answer.status_code == 404
        assert service.http.get("/api/v1/me", headers=service.auth()).status_code == 200

    def test_when_it_was_heard_of(self, service, olga):
        olga.post("/organise/workers/tokens", name="cluster", days=30)
        assert "No worker has asked" in olga.text("/organise/workers")


class TestRules:
    def test_a_preview_changes_nothing_and_the_form_asks_twice(self, service, olga, submit, board):
        submit()
        text = olga.text(f"/organise/rules?board={board}&rule=robust/1")
        assert "This change moves none" in text
        answer = olga.post("/organise/rules", board=board, rule="robust/1")
        assert (answer.status_code, actors(service, "board:rule_set")) == (422, [])

        olga.done("/organise/rules", board=board, rule="robust/1", confirmed="true")

        assert actors(service, "board:rule_set") == ["organiser:Olga"]
        with service.context.database.reading() as session:
            found = opening.require_board(session, "filtering", "tiny")
            assert ruling.rule_in_force(session, found).id == "robust/1"
        assert "by <bdi>organiser:Olga</bdi>" in olga.text("/organise/rules")

    def test_unknown_ones(self, olga, board):
        assert olga.get(f"/organise/rules?board={board}&rule=mine/1").status_code == 400
        assert olga.get(f"/organise/rules?board={'0' * 26}&rule=robust/1").status_code == 404
        for rule in ("mine/1", "official/2"):
            answer = olga.post("/organise/rules", board=board, rule=rule, confirmed="true")
            assert answer.status_code == 422
            assert "Not done:" in answer.text


class TestAudits:
    def test_commit_draw_verify(self, service, olga, submit, board):
        chosen = submit()
        olga.done("/organise/audits", board=board, percent=100)
        text = olga.text("/organise/audits")
        (round_id,) = re.findall(r"/organise/audits/(\w+)/draw", text)
        (seed,) = (service.context.settings.data_dir / "audit-seeds").iterdir()
        assert seed.read_text() not in text

        assert olga.post(f"/organise/audits/{round_id}/verify").status_code == 409
        olga.done(f"/organise/audits/{round_id}/draw")
        assert "anybody draws the same" in olga.text("/organise/audits")
        became = olga.post(f"/organise/audits/{round_id}/verify")

        assert became.status_code == 200
        assert chosen in became.text
        assert "nothing to verify it by" in became.text
        assert actors(service, "audit:drawn") == ["organiser:Olga"]
        assert olga.post(f"/organise/audits/{round_id}/draw").status_code == 409

    def test_a_seed_that_is_not_here(self, service, olga, submit, board):
        olga.done("/organise/audits", board=board, percent=10)
        text = olga.text("/organise/audits")
        (round_id,) = re.findall(r"/organise/audits/(\w+)/draw", text)
        for seed in (service.context.settings.data_dir / "audit-seeds").iterdir():
            seed.unlink()

        assert "its seed is not here" in olga.text("/organise/audits")
        assert olga.post(f"/organise/audits/{round_id}/draw").status_code == 404
        assert olga.post("/organise/audits/../etc/draw").status_code == 404
        assert olga.post("/organise/audits", board=board, percent=0).status_code == 422
