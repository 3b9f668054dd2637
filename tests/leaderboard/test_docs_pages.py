"""The documentation pages say what the software says: methods, rules, codes, the API."""

import re

from datacomp.filtering.catalogue import catalogue
from datacomp.submission.codes import CODES
from datacomp_leaderboard.docs import methods
from datacomp_leaderboard.docs.api import Kind, api_page, kind_of
from datacomp_leaderboard.docs.index import docs_page
from datacomp_leaderboard.docs.rules import rules_page
from datacomp_leaderboard.docs.submit import submit_page
from datacomp_leaderboard.render import render
from datacomp_leaderboard.rules import RULES


def anchors_are_there(html):
    ids = set(re.findall(r'id="([^"]+)"', html))
    return {link for link in re.findall(r'href="#([^"]+)"', html) if link not in ids} == set()


def test_the_committed_list_of_methods_is_that_of_the_registry():
    """Write it anew: python -m datacomp_leaderboard.docs.methods"""
    assert methods.list_text(catalogue()) == methods.LIST.read_text()


def test_methods_have_their_papers_and_parameters():
    found = {one.name: one for one in methods.known_methods()}
    sieve = found["sieve"]

    assert sieve.papers == (("2310.02110", "https://arxiv.org/abs/2310.02110"),)
    assert methods.Parameter("fraction", "float", "0.2") in sieve.parameters
    assert found["random"].parameters[0].default is None
    html = render(methods.methods_page())
    assert anchors_are_there(html)
    assert all(f'id="{name}"' in html for name in found)


def test_rules_and_levels_are_those_in_force():
    html = render(rules_page((), ()))

    assert all(rule.id in html and str(rule.words)[:20] in html for rule in RULES)
    assert "re-trained" in html
    assert "FMoW" in html
    assert anchors_are_there(html)


def test_every_code_is_explained_under_its_own_address():
    html = render(submit_page())

    assert all(f'id="{code}"' in html for code in CODES)
    assert anchors_are_there(html)


def test_the_first_page_leads_to_the_others():
    html = render(docs_page())
    assert all(f'href="{href}"' in html for href, _, _ in docs_page().pages)


def test_types_in_words():
    assert kind_of({"$ref": "#/components/schemas/A"}) == Kind("A", "A")
    assert kind_of({"type": "array", "items": {"$ref": "#/components/schemas/A"}}) == Kind(
        "list of A", "A"
    )
    assert kind_of({"anyOf": [{"type": "string"}, {"type": "null"}]}).words == "string or null"
    assert kind_of({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}).words == (
        "integer, 1 to 100, default 20"
    )
    assert kind_of({"enum": ["a", "b"]}).words == "'a' | 'b'"
    assert kind_of({"additionalProperties": {"type": "number"}}).words == "number by name"
    assert kind_of({}).words == "any"


def test_an_operation_with_hostile_words_is_text():
    document = {
        "info": {"version": "<1>"},
        "paths": {
            "/a/{b}": {
                "get": {
                    "operationId": "get_a",
                    "description": "A `code` <script>.",
                    "responses": {"200": {"description": "ok"}},
                }
            }
        },
    }
    page = api_page(document, "/openapi.json")
    html = render(page)

    assert [(group.key, len(group.operations)) for group in page.groups] == [("other", 1)]
    assert "<code>code</code> &lt;script&gt;." in html
    assert anchors_are_there(html)
