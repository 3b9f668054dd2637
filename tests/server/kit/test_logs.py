"""The log: one object a line, with what is needed to find a request, without any secret."""

import json
import logging
import sys

import pytest

from datacomp_server.kit.logs import JsonLines, TextLines, redact, request_id

SECRETS = {
    "a token": "token dcp_4Tq9Zr8s7Xw6 was sent",
    "an invite": "GET /join/dci_4Tq9Zr8s7Xw6",
    "a header": "{'Authorization': 'Bearer 4Tq9Zr8s7Xw6'}",
    "basic": "authorization: Basic 4Tq9Zr8s7Xw6",
    "a cookie": "Cookie: datacomp=4Tq9Zr8s7Xw6; a=4Tq9Zr8s7Xw6",
    "our cookie": "Set __Host-datacomp=4Tq9Zr8s7Xw6; Path=/",
    "the provider's cookie": "__Host-datacomp-flow=4Tq9Zr8s7Xw6; Path=/",
    "a body": '{"account": "Ada", "password": "4Tq9Zr8s7Xw6"}',
    "a database": "postgresql://user:4Tq9Zr8s7Xw6@host/name",
    "a query": "https://provider/cb?code=4Tq9Zr8s7Xw6&state=1",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_secrets_are_hidden(text):
    assert "4Tq9Zr8s7Xw6" not in redact(text)
    assert "[hidden]" in redact(text)


def test_ordinary_text_stays():
    text = "GET /b/tiny 200, see https://datacomp.example/s/01J: 3 ms"
    assert redact(text) == text


def record(text, error=None, **facts):
    made = logging.LogRecord("a.b", logging.INFO, "f", 1, text, (), error)
    made.facts = facts
    return made


def test_a_line_is_one_object():
    held = request_id.set("01J")
    try:
        raise ValueError("dcp_4Tq9Zr8s7Xw6\nsecond line")
    except ValueError:
        line = JsonLines().format(record("broke", sys.exc_info(), status=500))
    finally:
        request_id.reset(held)

    assert "\n" not in line
    value = json.loads(line)
    assert (value["level"], value["request"], value["status"]) == ("info", "01J", 500)
    assert "ValueError" in value["error"]
    assert "4Tq9Zr8s7Xw6" not in line


def test_facts_cannot_forge_the_line():
    value = json.loads(JsonLines().format(record("m\n{}", level="fatal", message="x")))
    assert (value["level"], value["message"]) == ("info", "m\n{}")


def test_text_has_the_facts_too():
    assert TextLines("%(message)s").format(record("answered", ms=3)) == "answered ms=3"
