"""Profiles: what is refused in one, and what a curve keeps of a log."""

import pytest

from datacomp.files import canonical_json
from datacomp.submission.curve import curve_of
from datacomp.submission.manifest import Manifest
from datacomp.submission.profile import (
    FEATURES,
    MAX_BYTES,
    REPEATS,
    Expected,
    check_profile,
    read_profile,
    repeats_of,
)
from datacomp.submission.rules import check_manifest


def portrait(**changes):
    """Of 10 rows, 4 entries kept, one of them twice."""
    words = [0] * FEATURES["words"].n_bins
    values = {
        "pool_id": "p",
        "pool_rows": 10,
        "subset_sha256": "5" * 64,
        "n": 4,
        "n_unique": 3,
        "parts": 1,
        "parts_read": 1,
        "rows_read": 10,
        "kept_read": 4,
        "histograms": {
            "words": {
                "pool": [6, 3, *words[2:]],
                "kept": [4, 0, *words[2:]],
                "pool_absent": 1,
                "kept_absent": 0,
            }
        },
        "repeats": [2, 1, *[0] * (len(REPEATS) - 2)],
        "kept_captions": ["a tree"],
        "dropped_captions": ["شجرة 🌳"],
    }
    return values | changes


def profile(**changes):
    return {"schema": "datacomp-profile/1", "portrait": portrait(**changes)}


def codes(value, expected=None):
    return {finding.code for finding in check_profile(value, expected or Expected({}))}


def histogram(**changes):
    words = portrait()["histograms"]["words"]
    return {"words": words | changes}


def test_a_good_one_has_no_finding_and_comes_back_the_same():
    value = profile()
    value["curve"] = {"samples": [10, 20], "loss": [4.0, 3.5], "logit_scale": [14.0, 15.0]}

    assert check_profile(value, Expected({"n": 4, "pool_id": "p"}, samples_seen=20)) == []
    again = read_profile(value).as_json()
    assert check_profile(again, Expected({})) == []
    assert again["portrait"]["dropped_captions"] == ["شجرة 🌳"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "P602"),
        ({"schema": "datacomp-profile/2"}, "P602"),
        (profile() | {"more": 1}, "P602"),
        (profile(n=-1), "P602"),
        (profile(n=4.0), "P602"),
        (profile(n=True), "P602"),
        (profile(n=2**60), "P602"),
        (profile(kept_captions=["x"] * 13), "P602"),
        (profile(kept_captions=["y" * MAX_BYTES]), "P601"),
        (profile(histograms={"beauty": portrait()["histograms"]["words"]}), "P603"),
        (profile(histograms=histogram(pool=[10])), "P603"),
        (profile(histograms=histogram(pool_absent=2)), "P604"),
        (profile(histograms=histogram(kept=[3, 0, 1, *[0] * 27])), "P604"),
        (profile(repeats=[3, 1, *[0] * (len(REPEATS) - 2)]), "P604"),
        (profile(rows_read=9), "P604"),
        (profile(n_unique=5), "P604"),
        (profile(parts_read=2), "P604"),
        (profile(languages=[{"code": "en", "pool": 9, "kept": 4}]), "P604"),
        (profile(languages=[{"code": "<b>", "pool": 10, "kept": 4}]), "P602"),
        (profile(kept_captions=["z" * 201]), "P606"),
        (profile(kept_captions=["two\nlines"]), "P606"),
        (profile(dropped_captions=["turned \u202e round"]), "P606"),
        (profile(dropped_captions=[""]), "P606"),
    ],
)
def test_what_is_wrong_is_named_by_its_code(value, code):
    assert code in codes(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(value):
    curve = {"samples": [1], "loss": [value], "logit_scale": [1.0]}

    assert codes({"schema": "datacomp-profile/1", "curve": curve}) == {"P602"}


def test_deep_nesting_is_refused():
    deep = value = {}
    for _ in range(100_000):
        deep["a"] = deep = {}

    assert codes(value) == {"P602"}


def test_it_must_be_of_the_very_subset():
    findings = check_profile(profile(), Expected({"subset_sha256": "6" * 64, "n": 4}))

    assert [finding.code for finding in findings] == ["P605"]
    assert "subset_sha256" in findings[0].message


@pytest.mark.parametrize(
    "curve",
    [
        {"samples": [20, 10], "loss": [1.0, 1.0], "logit_scale": [1.0, 1.0]},
        {"samples": [10, 20], "loss": [1.0], "logit_scale": [1.0, 1.0]},
        {"samples": [10, 40], "loss": [1.0, 1.0], "logit_scale": [1.0, 1.0]},
    ],
)
def test_a_curve_rises_and_ends_with_the_run(curve):
    value = {"schema": "datacomp-profile/1", "curve": curve}

    assert codes(value, Expected({}, samples_seen=30)) == {"P607"}


def test_the_manifest_holds_it_to_the_report(make_report):
    report = make_report()

    def found(**changes):
        manifest = Manifest(method="m", report=report.as_json(), profile=profile(**changes))
        return [finding.message.split()[1] for finding in check_manifest(manifest, report)]

    assert found() == ["pool_id", "pool_rows", "n", "n_unique"]
    assert found(pool_id=report.run.pool_id) == ["pool_rows", "n", "n_unique"]


def test_without_a_run_there_is_no_curve():
    curve = {"samples": [1], "loss": [1.0], "logit_scale": [1.0]}
    value = {"schema": "datacomp-profile/1", "curve": curve}
    manifest = Manifest(method="m", kind="subset", scale="tiny", pool_id="p", profile=value)

    messages = [finding.message for finding in check_manifest(manifest, None)]

    assert any("no curve" in message for message in messages)


def test_a_curve_keeps_ends_and_few_points():
    lines = [
        {"step": i, "samples": 128 * (i + 1), "loss": 5 - i / 1000, "logit_scale": 14.3}
        | {"images_per_second": 50.0 + i % 3}
        for i in range(1000)
    ]

    curve = curve_of([*lines, {"step": 1000}])

    assert len(curve.samples) == 200
    assert (curve.samples[0], curve.samples[-1]) == (128, 128_000)
    assert curve.images_per_second == 51.0
    assert curve_of([{"step": 1}]) is None


def test_repeats_in_words_end_with_the_most_frequent():
    found = repeats_of(read_profile(profile()).portrait)

    assert found == [("1", 2), ("2", 1)]
    many = profile(repeats=[0] * (len(REPEATS) - 1) + [3])
    assert repeats_of(read_profile(many).portrait)[-1] == ("1,024 or more", 3)
    assert len(canonical_json(many)) < MAX_BYTES
