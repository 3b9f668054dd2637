"""What /compare tells of subsets that the service has seen."""

import pytest


def test_what_subsets_share_is_told(desk, make_subset, of_subset):
    ids = []
    for numbers, method in ((range(100), "a"), (range(50, 250), "b")):
        file, subset = make_subset(numbers)
        ids.append(desk.hand_in(file, report=of_subset(subset), method=method)["id"])

    (row,) = desk.service.http.get(f"/compare/overlap.json?ids={','.join(ids)}").json()["rows"]

    assert (row["of_a"], row["of_b"]) == (pytest.approx(0.5), pytest.approx(0.25))
