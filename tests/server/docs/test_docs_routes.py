"""The documentation over HTTP: rules as they are in force, and the API's own description."""

import re

import pytest

from datacomp_server.boards import opening, ruling


@pytest.fixture
def page(service):
    def get(path):
        answer = service.http.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return answer.text

    return get


@pytest.mark.parametrize("path", ["/docs", "/docs/methods", "/docs/submit"])
def test_pages_of_what_comes_with_the_software(page, path):
    assert "<h1>" in page(path)


def test_rules_say_what_is_in_force_since_when(service, page):
    assert "robust/1</code></a></td>" not in page("/docs/rules")
    with service.context.database.writing() as session:
        board = opening.require_board(session, "filtering", "tiny")
        moment = service.context.clock()
        ruling.put_in_force(session, board, "robust/1", by="organiser:Olga", moment=moment)

    text = page("/docs/rules")

    assert "robust/1</code></a></td>" in text
    assert f"<td>{moment:%Y-%m-%d}</td>" in text


def test_every_operation_and_object_of_the_api_is_described(service, page):
    text, document = page("/docs/api"), service.http.get("/api/v1/openapi.json").json()

    for methods in document["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in text
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= ids
