"""Requests that mean harm: each is refused with its code, and nothing is stored.

Hostile files are tests/submission's business, other teams' ids each feature's.
"""

import json

from sqlalchemy import func, select

from datacomp_server.kit.db import Base

POST = "/api/v1/submissions"
MARKS = "\u0315\u0300"  # in the other order when composed


def nested(depth):
    return "[" * depth + "]" * depth


def many_keys(n):
    pairs = ",".join(f'"{key:x}":0' for key in range(n))
    return '{"n":0,' + pairs + ',"n":1}'


def with_lock(text):
    return '{"method": "m", "report": {}, "lock": {"a": ' + text + "}}"


BODIES = {
    "not JSON": ("{", 400, "bad_json"),
    "bytes that are no text": (b'{"method": "\xff\xfe"}', 400, "bad_json"),
    "half a character": ('{"method": "\\ud800"}', 400, "bad_json"),
    "NaN": (with_lock("NaN"), 400, "json_number"),
    "infinity": (with_lock("-Infinity"), 400, "json_number"),
    "a key twice": ('{"method": "a", "method": "b", "report": {}}', 400, "json_key_twice"),
    "a key twice inside": (with_lock('{"b": 1, "b": 2}'), 400, "json_key_twice"),
    "nested": (with_lock(nested(50)), 400, "json_too_deep"),
    "nested past any stack": (with_lock(nested(200_000)), 400, "json_too_deep"),
    "opened and never closed": ("[" * 1_000_000, 400, "json_too_deep"),
    "a number of 5,000 digits": (with_lock("9" * 5000), 400, "bad_json"),
    "a number beyond every double": (with_lock("1e999"), 400, "json_number"),
    "a key twice, of very many": (with_lock(many_keys(300_000)), 400, "json_key_twice"),
    "marks without end": ('{"method": "a' + MARKS * 400_000 + '", "report": {}}', 422, None),
    "a list": ("[]", 422, "invalid_request"),
    "nothing": ("null", 422, "invalid_request"),
    "bidi name": ('{"method": "a\\u202eb", "report": {}}', 422, None),
    "NUL in a name": ('{"method": "a\\u0000b", "report": {}}', 422, None),
    "too large": (with_lock('"' + "a" * 5 * 2**20 + '"'), 413, None),
}


def stored(service):
    ignored = {"api_token", "team", "board", "event"}
    with service.context.database.reading() as session:
        return {
            table.name: n
            for table in Base.metadata.sorted_tables
            if table.name not in ignored
            and (n := session.scalar(select(func.count()).select_from(table)))
        }


def test_bodies(service):
    headers = service.auth() | {"Content-Type": "application/json"}
    for name, (body, status, code) in BODIES.items():
        answer = service.http.post(POST, content=body, headers=headers)
        assert answer.status_code == status, name
        assert code in (None, answer.json()["error"]), name
    assert stored(service) == {}


def test_a_large_body_without_declared_size(service):
    pieces = (b"a" * 2**16 for _ in range(100))
    headers = service.auth() | {"Content-Type": "application/json"}

    assert service.http.post(POST, content=pieces, headers=headers).status_code == 413


def test_numbers_out_of_range(service, make_report):
    for value in (2**63, -(2**70), 1e300):
        report = make_report().as_json()
        report["provenance"]["seed"] = value
        answer = service.submit(report)
        assert answer.status_code == 422
    assert stored(service) == {}


ADDRESSES = [
    "/s/..%2f..%2fetc%2fpasswd",
    "/static/..%2f..%2f..%2fapp.py",
    "/api/v1/submissions/%00",
    "/api/v1/submissions/" + "A" * 5000,
    "/b/%e2%80%ae",
    "/b/tiny?sort=" + "a" * 5000,
    "/b/tiny?sort=%00",
    "/b/tiny.csv?sort=%ff",
    "/api/v1/artifacts/..%2f..%2fdatacomp.sqlite",
    "/api/v1/uploads/'%20OR%201=1--",
    "/api/v1/jobs/%f0%9f%92%a9",
]


def test_addresses(service):
    for address in ADDRESSES:
        for accept in ("application/json", "text/html"):
            answer = service.http.get(address, headers=service.auth() | {"Accept": accept})
            assert 400 <= answer.status_code < 500, address


def test_tokens(service):
    for token in ("dcp_" + "A" * 38, "dcp_", "A" * 10_000, "'; DROP TABLE team; --", "\u202e"):
        headers = {"Authorization": f"Bearer {token}".encode()}
        answer = service.http.post(POST, json={"method": "m", "report": {}}, headers=headers)
        assert answer.status_code == 401, token
    assert stored(service) == {}


def test_a_good_body_arrives_as_it_was_sent(service, make_report, make_lock):
    report = make_report()
    text = json.dumps({"method": "ünï", "report": report.as_json(), "lock": make_lock(report)})
    headers = service.auth() | {"Content-Type": "application/json; charset=utf-8"}
    answer = service.http.post(POST, content=text, headers=headers)

    assert (answer.status_code, answer.json()["method"]) == (201, "ünï")
