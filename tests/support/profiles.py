"""Profiles that pass every check, made up: of any subset, without its pool."""

from typing import Any

from datacomp.submission.profile import FEATURES, REPEATS


def make_profile(
    subset: dict[str, Any] | None = None,
    *,
    pool_id: str = "b" * 64,
    pool_rows: int = 12000,
    kept: tuple[str, ...] = ("a tree", "two dogs"),
    dropped: tuple[str, ...] = ("IMG_001.jpg",),
    points: int = 20,
) -> dict[str, Any]:
    """The profile of a subset with these facts (sha256, n, n_unique), all of its pool read."""
    facts = {"sha256": "5" * 64, "n": 9000, "n_unique": 8000} | (subset or {})
    n, n_unique = facts["n"], facts["n_unique"]
    repeats = [2 * n_unique - n, n - n_unique, *[0] * (len(REPEATS) - 2)]
    if repeats[0] < 0:  # more than twice each: all in the last bin
        repeats = [*[0] * (len(REPEATS) - 1), n_unique]
    histograms = {
        name: {
            "pool": _spread(pool_rows, feature.n_bins),
            "kept": _spread(n, feature.n_bins),
        }
        for name, feature in FEATURES.items()
    }
    portrait = {
        "pool_id": pool_id,
        "pool_rows": pool_rows,
        **{"subset_sha256": facts["sha256"], "n": n, "n_unique": n_unique},
        **{"parts": 4, "parts_read": 4, "rows_read": pool_rows, "kept_read": n},
        "histograms": histograms,
        "languages": [
            {"code": "en", "pool": pool_rows - pool_rows // 4, "kept": n},
            {"code": "other", "pool": pool_rows // 4, "kept": 0},
        ],
        "repeats": repeats,
        "kept_captions": list(kept),
        "dropped_captions": list(dropped),
    }
    curve = {
        "samples": [128 * (i + 1) for i in range(points)],
        "loss": [5 - 2 * i / points for i in range(points)],
        "logit_scale": [14 + i / points for i in range(points)],
        "images_per_second": 512.0,
    }
    return {"schema": "datacomp-profile/1", "portrait": portrait, "curve": curve}


def _spread(total: int, n_bins: int) -> list[int]:
    """`total` in a triangle over the bins."""
    weights = [min(i + 1, n_bins - i) for i in range(n_bins)]
    counts = [total * weight // sum(weights) for weight in weights]
    counts[n_bins // 2] += total - sum(counts)
    return counts
