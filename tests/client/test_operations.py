"""Requests made from the description of the service, without a service."""

import re

import pytest

from datacomp.client.operations import operation


def test_a_request_of_an_operation():
    filled = operation("get_board").fill({"scale": "a/b c", "sort": "-average"})

    assert (filled.method, filled.path) == ("GET", "/api/v1/boards/a%2Fb%20c")
    assert (filled.query, filled.headers) == ({"sort": "-average"}, {})


def test_none_is_left_out():
    assert operation("get_board").fill({"scale": "tiny", "sort": None}).query == {}


@pytest.mark.parametrize("parameters", [{}, {"scale": None}, {"scale": "tiny", "order": "up"}])
def test_wrong_parameters_are_a_defect(parameters):
    with pytest.raises(TypeError, match=r"get_board takes .*'scale', 'sort'"):
        operation("get_board").fill(parameters)


def test_an_unknown_operation_is_a_defect():
    with pytest.raises(LookupError, match=re.escape("get_boards")):
        operation("get_boards")
