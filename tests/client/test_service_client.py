"""The client against a real service, and against answers that no service of ours gives."""

import json

import httpx
import pytest

from datacomp.client import RefusedError, ServiceClient, UnauthorisedError
from datacomp.errors import ServiceError
from datacomp_server import create_token, run_in_thread


@pytest.fixture(scope="module")
def running(make_module_settings):
    settings = make_module_settings()
    with run_in_thread(settings) as service:
        yield service, create_token(settings, "Alpha")


def answering(status, **content):
    handler = httpx.MockTransport(lambda request: httpx.Response(status, **content))
    return ServiceClient("http://service.test", transport=handler)


def test_submit_read_and_board(running, make_report):
    service, token = running
    report = make_report(level=0.4)
    with ServiceClient(service.url + "/", token) as client:
        first = client.submit(report, "clip")
        again = client.submit(report, "clip")

        assert (first.created, again.created) == (True, False)
        assert first.id == again.id
        assert first.url == f"{service.url}/s/{first.id}"
        assert (first.team, first.scale) == ("Alpha", "tiny")
        assert client.submission(first.id)["method"] == "clip"
        assert client.board("tiny")["rows"][0]["id"] == first.id


def test_a_refusal_shows_every_finding(running, make_report):
    service, token = running
    report = make_report(scale="gigantic", seed=5)
    with ServiceClient(service.url, token) as client, pytest.raises(RefusedError) as caught:
        client.submit(report, "")

    assert {finding.code for finding in caught.value.findings} == {"S101", "S104"}
    assert (caught.value.status, caught.value.code) == (422, "submission_refused")
    assert "S101" in str(caught.value)
    assert "S104" in str(caught.value)


@pytest.mark.parametrize("token", [None, "dcp_wrong"])
def test_a_bad_token_names_the_remedy(running, make_report, token):
    service, _ = running
    with (
        ServiceClient(service.url, token) as client,
        pytest.raises(UnauthorisedError, match="datacomp login"),
    ):
        client.submit(make_report(), "m")


def test_a_token_that_no_header_can_carry():
    with pytest.raises(UnauthorisedError):
        ServiceClient("http://service.test", "dcp_a\nX-Evil: 1")


def test_nobody_answers():
    with (
        ServiceClient("http://127.0.0.1:9") as client,
        pytest.raises(ServiceError, match=r"127\.0\.0\.1:9.*datacomp serve"),
    ):
        client.board("tiny")


@pytest.mark.parametrize("url", ["no-scheme", "ftp://host", "http://host:port"])
def test_an_address_that_is_none(url):
    with pytest.raises(ServiceError, match="is not an address"), ServiceClient(url) as client:
        client.board("tiny")


@pytest.mark.parametrize(
    "content", [{"text": "<html>"}, {"json": ["list"]}, {"json": {"error": "x"}}]
)
def test_something_else_answers(content):
    with answering(502, **content) as client, pytest.raises(ServiceError, match="502"):
        client.board("tiny")


def test_a_redirect_is_not_followed():
    with (
        answering(302, headers={"Location": "http://elsewhere.test"}) as client,
        pytest.raises(ServiceError, match="302"),
    ):
        client.board("tiny")


def test_a_success_that_is_not_json():
    with answering(200, text="hello") as client, pytest.raises(ServiceError, match="datacomp"):
        client.board("tiny")


def test_files_come_as_a_stream(running, make_report):
    service, token = running
    report = make_report(seed=3)
    with ServiceClient(service.url, token) as client:
        made = client.submit(report, "clip")
        with client.connection.stream("get_report", submission_id=made.id) as answer:
            text = b"".join(answer.iter_bytes()).decode()
        assert json.loads(text)["provenance"]["seed"] == 3
        with (
            pytest.raises(RefusedError) as caught,
            client.connection.stream("get_lock", submission_id=made.id),
        ):
            pass
        assert caught.value.status == 404
