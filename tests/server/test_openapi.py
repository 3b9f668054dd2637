"""The service's description: the committed one is the service's, and clients can be made of it."""

from collections import Counter
from importlib.resources import files

from datacomp_server.openapi import description


def test_the_clients_description_is_the_services():
    """If not: python -m datacomp_server.openapi > datacomp/client/openapi.json"""
    assert files("datacomp.client").joinpath("openapi.json").read_text() == description()


def test_operations_have_names_of_their_own(service):
    paths = service.http.get("/api/v1/openapi.json").json()["paths"]
    names = Counter(item["operationId"] for methods in paths.values() for item in methods.values())

    assert {name for name, times in names.items() if times > 1} == set()
    assert all(name.isidentifier() for name in names)


def test_models_have_names_of_their_own(service):
    """Two of one name get a module's name before theirs, of which generators make one class."""
    schemas = service.http.get("/api/v1/openapi.json").json()["components"]["schemas"]

    assert [name for name in schemas if "__" in name] == []
