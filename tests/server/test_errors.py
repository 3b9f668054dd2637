"""Every error has one shape, every answer has the headers, whoever asks and whatever fails."""

import pytest
from fastapi.testclient import TestClient

from datacomp_server.app import create_app
from datacomp_server.kit.middleware import CONTENT_SECURITY_POLICY

ERRORS = {
    "no such route": ("GET", "/api/v1/nothing", 404),
    "no such page": ("GET", "/nothing", 404),
    "wrong method": ("DELETE", "/api/v1/submissions", 405),
    "no such board": ("GET", "/api/v1/boards/none", 404),
    "no such column": ("GET", "/api/v1/boards/tiny?sort=none", 400),
    "no such file": ("GET", "/static/none.css", 404),
    "path upwards": ("GET", "/static/..%2f..%2fpages.py", 404),
    "no body": ("POST", "/api/v1/submissions", 422),
}
ANSWERS = [
    "/",
    "/b/tiny",
    "/b/tiny.csv",
    "/b/tiny.json",
    "/static/board.css",
    "/api/v1/openapi.json",
]


@pytest.mark.parametrize(("verb", "path", "status"), ERRORS.values(), ids=ERRORS)
def test_errors_have_one_shape(service, verb, path, status):
    answer = service.http.request(verb, path, headers=service.auth())
    body = answer.json()

    assert answer.status_code == status
    assert isinstance(body["error"], str)
    assert isinstance(body["detail"], str)
    assert set(body) <= {"error", "detail", "findings"}


@pytest.mark.parametrize("path", ["/nothing", "/b/none", "/s/none", "/b/tiny?sort=none"])
def test_browsers_get_errors_as_pages(service, path):
    answer = service.http.get(path, headers={"Accept": "text/html,*/*;q=0.8"})

    assert answer.headers["content-type"].startswith("text/html")
    assert "All boards" in answer.text


def test_a_program_gets_json_from_the_api_whatever_it_accepts(service):
    answer = service.http.get("/api/v1/boards/none", headers={"Accept": "text/html"})

    assert answer.json()["error"] == "not_found"


@pytest.mark.parametrize("path", [*ANSWERS, *(path for _, path, _ in ERRORS.values())])
def test_every_answer_has_the_security_headers(service, path):
    headers = service.http.get(path).headers

    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/submissions", "GET, POST"),
        ("POST", "/api/v1/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV", "GET, PATCH, DELETE"),
        ("DELETE", "/sign-in", "GET, POST"),
    ],
)
def test_another_method_is_told_every_one_that_there_is(service, method, path, allowed):
    answer = service.http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json()["error"] == "method_not_allowed"


def test_a_defect_of_ours_is_an_answer_too(service, caplog):
    app = create_app(service.context)
    app.add_api_route("/broken", lambda: 1 / 0)

    answer = TestClient(app).get("/broken")

    assert answer.status_code == 500
    assert answer.json()["error"] == "server_error"
    assert "division" not in answer.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "ZeroDivisionError" in caplog.text


def test_an_address_forges_no_line_of_the_log(service, caplog):
    app = create_app(service.context)
    app.add_api_route("/broken/{name}", lambda name: 1 / 0)

    TestClient(app).get("/broken/a%0AINFO forged dci_invite%1b[2J")

    (told,) = (one.getMessage() for one in caplog.records if one.exc_info)
    assert told == "answering failed: /broken/{name}"


def test_static_files_may_be_cached_for_good(service):
    assert "immutable" in service.http.get("/static/board.css").headers["cache-control"]
    assert service.http.get("/static/none.css").headers["cache-control"] == "no-cache"
    assert service.http.get("/b/tiny").headers["cache-control"] == "no-cache"


def test_the_api_describes_its_errors(service):
    paths = service.http.get("/api/v1/openapi.json").json()["paths"]

    assert set(paths["/api/v1/submissions"]["post"]["responses"]) >= {
        "200",
        "201",
        "401",
        "403",
        "409",
        "413",
        "422",
    }
    assert not [path for path in paths if not path.startswith("/api/v1/")]
