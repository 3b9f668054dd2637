"""Profiles that come with a submission: kept as they came, and held to its report or its file."""

import pytest

from support.profiles import make_profile


def without_curve(profile):
    return {name: value for name, value in profile.items() if name != "curve"}


def facts_of(subset):
    return {"sha256": subset.sha256, "n": subset.n, "n_unique": subset.n_unique}


def test_it_is_kept_and_given_back(service, make_report):
    out = service.submit(make_report(), profile=make_profile()).json()

    answer = service.http.get(f"/api/v1/submissions/{out['id']}/profile")

    assert out["profile_sha256"]
    assert answer.json() == make_profile()


def test_one_of_another_subset_is_refused(service, make_report):
    answer = service.submit(make_report(), profile=make_profile({"sha256": "6" * 64}))

    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["findings"]] == ["P605"]


def test_the_same_report_without_it_stands_already(service, make_report):
    first = service.submit(make_report(), profile=make_profile())
    again = service.submit(make_report())

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["profile_sha256"] == first.json()["profile_sha256"]


@pytest.mark.parametrize(("n", "state"), [(100, "accepted"), (99, "refused")])
def test_without_a_report_it_is_held_to_the_file(desk, make_subset, n, state):
    file, subset = make_subset(range(100))
    facts = facts_of(subset) | {"n": n, "n_unique": n}
    profile = without_curve(make_profile(facts))
    body = {"kind": "subset", "scale": "tiny", "pool_id": "b" * 64, "profile": profile}

    out = desk.hand_in(file, **body)

    assert out["state"] == state
    assert {one["code"] for one in out["findings"]} == ({"P605"} if state == "refused" else set())
