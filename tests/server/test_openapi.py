"""The service's description: the committed one is the service's, and clients can be made of it."""

import json
import re
from collections import Counter
from importlib.resources import files

import pytest

from datacomp_server.openapi import description


def test_the_clients_description_is_the_services():
    """If not: python -m datacomp_server.openapi > datacomp/client/openapi.json"""
    assert files("datacomp.client").joinpath("openapi.json").read_text() == description()


def operations(described):
    """Every operation of a description: its name, and what it says of itself."""
    for methods in described["paths"].values():
        for said in methods.values():
            yield said["operationId"], said


def contents(said):
    """What an operation takes and answers where all is well: media type and schema."""
    bodies = [said.get("requestBody", {})]
    bodies += [answer for status, answer in said["responses"].items() if status.startswith("2")]
    for body in bodies:
        yield from body.get("content", {}).items()


@pytest.fixture
def described():
    return json.loads(files("datacomp.client").joinpath("openapi.json").read_text())


def test_what_goes_over_the_wire_has_a_name(described):
    """Of these a generator makes classes; of an object without properties nobody makes anything."""
    free = {"get_lock"}  # as the tool that made the subset wrote it
    for name, said in operations(described):
        for media_type, content in contents(said):
            schema = content["schema"]
            if media_type != "application/json":
                assert schema["type"] == "string", name
            elif name not in free:
                assert "$ref" in schema.get("items", schema), name


def test_every_answer_says_what_it_is(described):
    for name, said in operations(described):
        assert said["summary"], name
        assert [status for status in said["responses"] if status.startswith("2")], name
        for status, answer in said["responses"].items():
            assert answer["description"], (name, status)
            if int(status) >= 400 and status != "416":  # which has no body
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorOut"}, (name, status)


def test_every_name_leads_to_a_model(described):
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described["paths"])))
    known = described["components"]["schemas"]

    assert named <= known.keys()
    assert [name for name in named if known[name]["type"] != "object"] == []
    assert [name for name in named if not known[name].get("properties")] == []


def test_operations_have_names_of_their_own(service):
    paths = service.http.get("/api/v1/openapi.json").json()["paths"]
    names = Counter(item["operationId"] for methods in paths.values() for item in methods.values())

    assert {name for name, times in names.items() if times > 1} == set()
    assert all(name.isidentifier() for name in names)


def test_models_have_names_of_their_own(service):
    """Two of one name get a module's name before theirs, of which generators make one class."""
    schemas = service.http.get("/api/v1/openapi.json").json()["components"]["schemas"]

    assert [name for name in schemas if "__" in name] == []
