"""Every route of the service: who reaches it. A new one has to be named here."""

from collections.abc import Iterator
from typing import Any, get_args

from datacomp_server.app import create_app
from datacomp_server.identity import auth, visitors

KINDS = {
    "submitter": auth.Submitter,
    "reader": auth.Reader,
    "steward": auth.Steward,
    "uploader": auth.Uploader,
    "worker": auth.WorkerCaller,
    "organiser": auth.Organiser,
    "any token": auth.AnyCaller,
    "token or none": auth.MaybeCaller,
    "signed-in organiser": visitors.Organising,
    "signed in": visitors.SignedIn,
    "signed in or not": visitors.MaybePerson,
}
EXPECTED = {
    "submitter": {"create_submission", "register_key", "attest_submission"},
    "reader": {"list_keys", "get_artifact", "get_job_log"},
    "steward": {
        *("withdraw_submission", "request_check", "request_verification"),
        *("revoke_key", "cancel_job"),
    },
    "uploader": {"create_upload", "get_upload", "append_upload", "drop_upload"},
    "worker": {
        *("register_worker_key", "claim_job", "beat_lease", "append_log"),
        *("get_input", "finish_lease"),
    },
    "any token": {"list_tokens", "revoke_token", "get_caller"},
    "token or none": {"list_submissions", "get_submission", "get_job"},
    "signed in": {
        *("account", "found_team", "join_team", "make_token", "revoke_own_token"),
        *("change_password", "team", "invite", "withdraw", "set_role", "remove"),
        *("own_submissions", "end_key"),
    },
    "signed-in organiser": {
        *("review_queue", "review_submission", "verify_submission", "mark_submission"),
        "find_submission",
        *("check_submission", "all_budgets", "grant_budget", "all_workers"),
        *("make_worker_token", "revoke_worker_token", "board_rules", "put_rule_in_force"),
        *("all_audits", "commit_audit", "draw_audit", "verify_audit"),
    },
    "signed in or not": {"sign_in_form", "register_form"},
    "anybody": {
        # by name and password, or a provider's word
        *("create_token", "sign_in", "sign_out", "register", "begin", "come_back"),
        # what everybody may see
        "public_page",
        *("get_health", "get_metrics"),
        *("list_boards", "get_board", "get_budgets", "get_queue"),
        *("get_report", "get_lock", "get_profile", "get_evidence"),
        *("list_results", "get_result_report"),
        *("list_audits", "list_events", "get_verification", "openapi", "static"),
    },
}


def routes(every: Any) -> Iterator[Any]:
    """The routes, also those of routers that are included as they are."""
    for one in every:
        inner = getattr(one, "original_router", None)
        yield from (one,) if inner is None else routes(inner.routes)


def calls(dependant: Any) -> Iterator[Any]:
    """Whatever is called before a route is, what asks first first."""
    for one in dependant.dependencies:
        yield one.call
        yield from calls(one)


def kind_of(route: Any) -> str:
    names = {get_args(kind)[1].dependency: name for name, kind in KINDS.items()}
    dependant = getattr(route, "dependant", None)  # files and the API's description have none
    asked = calls(dependant) if dependant is not None else ()
    return next((names[call] for call in asked if call in names), "anybody")


def test_who_reaches_which_route(service):
    found: dict[str, set[str]] = {}
    for route in routes(create_app(service.context).routes):
        found.setdefault(kind_of(route), set()).add(route.name)

    assert found == EXPECTED


def test_every_route_that_changes_something_asks_who_it_is(service):
    safe = {"GET", "HEAD", None}
    doors = {"create_token", "sign_in", "sign_out", "register"}
    for route in routes(create_app(service.context).routes):
        if not safe.issuperset(getattr(route, "methods", None) or {None}):
            assert kind_of(route) != "anybody" or route.name in doors, route.path
