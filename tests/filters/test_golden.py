"""The subsets that DataComp's own code kept (commit 4a8df19) on 6,000 rows: identical files."""

from pathlib import Path

import pytest

from datacomp.subset import write_subset

NPY = Path(__file__).parents[1] / "golden" / "npy"


@pytest.mark.parametrize(
    ("golden", "words"),
    [
        ("no_filter", "no_filter"),
        ("basic_filter", "basic_filter"),
        ("basic_filter", "basic_filter compat=datacomp"),
        ("laion2b", "laion2b"),
        ("laion2b", "laion2b compat=datacomp"),
        ("text_based", "text_based compat=datacomp"),
        ("image_based", "image_based compat=datacomp"),
        (
            "image_based_x_clip_l14_f0.3",
            "image_based_intersect_clip_score compat=datacomp fraction=0.3",
        ),
        ("clip_l14_f0.3", "clip_score fraction=0.3 compat=datacomp"),
        ("clip_b32_f0.3", "clip_score fraction=0.3 compat=datacomp arch=b32"),
        ("clip_l14_f0", "clip_score fraction=0 compat=datacomp"),
        ("clip_l14_t0.27", "clip_score threshold=0.27"),
        ("clip_b32_t0.26", "clip_score threshold=0.26 column=clip_b32_similarity_score"),
        ("clip_b32_t0.26", "clip_score threshold=0.26 arch=b32 compat=datacomp"),
    ],
)
def test_the_subset_is_the_originals_byte_for_byte(golden_pool, run, tmp_path, golden, words):
    result = run(golden_pool, words)
    write_subset(result.subset, tmp_path / "a.npy", result.lock)
    assert (tmp_path / "a.npy").read_bytes() == (NPY / f"{golden}.npy").read_bytes()
