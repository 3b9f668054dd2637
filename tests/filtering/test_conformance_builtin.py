"""Every built-in filter holds to the contract that third parties' filters are checked against.

Those that need a model or a set to learn from are in test_conformance_learned.py.
"""

from pathlib import Path

import pytest

from datacomp.filtering import FILTERS
from datacomp.filtering.conformance import CHECKS, subject_of

GOLDEN = Path(__file__).parents[1] / "golden"
WORDNET, CLUSTERS = GOLDEN / "wordnet", GOLDEN / "clusters"
TEXT = (f"wordnet={WORDNET}", f"ids={WORDNET / 'imagenet21k_wordnet_ids.txt'}")
IMAGE = (
    f"centroids={CLUSTERS / 'centroids_l14.npy'}",
    f"target={CLUSTERS / 'target_in1k_l14.npy'}",
)
CONCEPTS = f"embeddings={CLUSTERS / 'centroids_l14.npy'}"
ASSETS = {
    "concept_frequency": (
        f"concepts={GOLDEN / 'names.txt'}",
        CONCEPTS,
        TEXT[0],
        "search=joint",
        "min_similarity=0",
    ),
    "metaclip": (TEXT[0], "t=50"),
    "targeted_retrieval": (f"classes={GOLDEN / 'names.txt'}", CONCEPTS, "per_class=20"),
    "text_based": TEXT,
    "text_based_sampling": TEXT,
    "image_based": IMAGE,
    "image_based_intersect_clip_score": ("arch=l14", "fraction=0.3", *IMAGE),
    "image_based_sampling": IMAGE,
}
LEARNED = ("el2n", "flyt", "mflyt", "normsim", "sieve", "tmars")
BUILT_IN = [
    name for name in FILTERS if FILTERS.origin(name).startswith("datacomp ") and name not in LEARNED
]


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_holds_to_the_contract(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    subject = subject_of(name, *ASSETS.get(name, ()))
    results = [check.run(subject) for check in CHECKS]
    assert [result for result in results if result.status == "failed"] == []
    assert {"runs", "part_split"} <= {r.check for r in results if r.status == "passed"}
