"""The demo's methods: each a row of its board, with the selection that makes its subset.

A selection is a tree as in selection files. `{trusted}` and the like in it are paths of things that
must exist first: needs.py makes them. All methods of the wide board keep 30% of the pool, so that
they are compared at one size, unless their rule decides by itself how much that is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from datacomp.errors import UnknownNameError
from datacomp.filtering.tree import Tree
from datacomp.pool.tiny.config import TinyConfig

FRACTION = 0.3


@dataclass(frozen=True)
class Method:
    """A row of the board: a selection, or, with `selection` None, the oracle."""

    name: str
    selection: Tree | None
    description: str

    @property
    def stem(self) -> str:
        """What its files and folders are called: the name's first word."""
        return self.name.split()[0]

    @property
    def needs(self) -> tuple[str, ...]:
        """The names in braces of its selection."""
        found = (
            field
            for text in _strings(self.selection)
            for _, field, _, _ in Formatter().parse(text)
            if field
        )
        return tuple(dict.fromkeys(found))

    def placed(self, places: Mapping[str, str]) -> Tree:
        """The selection with the paths of what it needs."""
        assert self.selection is not None, "the oracle selects by the truth"
        placed: Tree = _filled(self.selection, places)
        return placed


BASELINES = (
    Method("no_filter", "no_filter", "Every row of the pool."),
    Method("random 30%", {"random": {"fraction": FRACTION}}, "A random 30% of the pool."),
    Method("basic_filter", "basic_filter", "English, long enough, large enough."),
    Method("clip_score 30%", {"clip_score": {"fraction": FRACTION}}, "The best 30% by CLIP score."),
    Method("oracle", None, "The rows whose caption is true: reads what the builder planted."),
)

_KEPT = round(FRACTION * TinyConfig().rows)
_DFN = {"clip_score": {"model": "{dfn}", "fraction": FRACTION}}
_CAPTIONER = {"captioner": "small", "trusted": "{trusted}", "fraction": FRACTION}
_SIEVE = {"sieve": {**_CAPTIONER, "clip_weight": 0.0}}
_NEGCLIPLOSS = {"negcliploss": {"fraction": FRACTION}}
_NORMSIM = {"normsim": {"fraction": FRACTION, "target": "{trusted}"}}
# A detector of letters takes a drawing for one, so that what is tall is left as it is.
_TMARS = {"tmars": {"model": "{trusted}/encoder", "tallest": 0.5, "fraction": FRACTION}}
# The paper's 5,000 steps of 4,096 and 3,072 are for 128 million rows.
_TRAINING = {
    "downstream": "{trusted}",
    "encoder": "l14",
    "upstream_batch": 512,
    "warmup_steps": 50,
    "fraction": FRACTION,
}
_FLYT = {"flyt": {**_TRAINING, "training_steps": 3000, "downstream_batch": 512, "hidden": 128}}
_MFLYT = {**_TRAINING, "training_steps": 400, "downstream_batch": 2048, "scoring_rate": 3e-3}
_MIXED = [
    "clip_l14_similarity_score",
    "clip_b32_similarity_score",
    {"from": _DFN, "column": "clip_similarity"},
    {"from": _SIEVE, "column": "caption_similarity"},
    {"from": _NEGCLIPLOSS, "column": "negcliploss"},
    {"from": _NORMSIM, "column": "normsim"},
    {"from": _TMARS, "column": "masked_similarity"},
]

ALL = (
    *BASELINES,
    Method(
        "dfn",
        _DFN,
        "The best by a CLIP that was trained on the trusted set.",
    ),
    Method(
        "sieve",
        _SIEVE,
        "The best by how like their captions are to a captioner's.",
    ),
    Method(
        "sieve+clip",
        {"sieve": {**_CAPTIONER, "clip_weight": 0.5}},
        "The best by SIEVE and CLIP score, half and half.",
    ),
    Method("flyt", _FLYT, "The best by a head that learned what the trusted set's task needs."),
    Method(
        "flyt+soft_cap",
        {"soft_cap": {"column": {"from": _FLYT, "column": "flyt_score"}}},
        "As many draws as the pool has rows by FLYT's score, repeats ever less likely.",
    ),
    Method(
        "mflyt",
        {"mflyt": {**_MFLYT, "scores": _MIXED}},
        "The best by a learned mix of CLIP scores, SIEVE, negCLIPLoss, NormSim and T-MARS.",
    ),
    Method(
        "negcliploss",
        _NEGCLIPLOSS,
        "The best by CLIP score less what is usual for the picture and the caption.",
    ),
    Method(
        "negclip+norm",
        # The paper's 30%, and two thirds of them: 20% of the pool.
        {
            "cascade": [
                {"negcliploss": {"fraction": 0.45}},
                {"normsim": {"fraction": 0.66667, "target": "{trusted}"}},
            ]
        },
        "The best 45% by negCLIPLoss, of them two thirds by NormSim to the trusted set.",
    ),
    Method(
        "normsim",
        _NORMSIM,
        "The pictures that are nearest to the trusted set's.",
    ),
    Method(
        "vas",
        # The paper's proportion, 20% of the pool out of the best 30%.
        {"vas": {"clip_fraction": 0.45, "fraction": FRACTION, "target": "{trusted}"}},
        "The best 45% by CLIP score, of them the 30% of the pool with the highest VAS.",
    ),
    Method(
        "semdedup",
        # The paper searches the eps that leaves the size it wants.
        {"semdedup": {"fraction": FRACTION}},
        "The rows whose picture is least like another's.",
    ),
    Method(
        "tmars",
        _TMARS,
        "The best by the CLIP score of the picture with its writing painted over.",
    ),
    Method(
        "metaclip",
        {"metaclip": {"metadata": "{names}", "ignore_case": True}},
        "Captions that name a class of the trusted set, frequent ones thinned out.",
    ),
    Method(
        "concepts",
        {"concept_frequency": {"target": "{trusted}", "lemmas": False, "draws": _KEPT}},
        "Draws 30% of the pool's rows, captions of rare concepts more often.",
    ),
    Method(
        "targeted",
        {"targeted_retrieval": {"target": "{trusted}", "per_class": 10}},
        "The ten rows that fit each class of the trusted set best.",
    ),
    Method(
        "el2n",
        {"el2n": {"models": "{early}", "low": 0.1, "high": 0.6}},
        "Pairs that early models find neither easiest nor hard.",
    ),
)


def find_methods(names: str) -> tuple[Method, ...]:
    """`baselines`, `all`, or names with commas between; `UnknownNameError` for another.

    Names may be given by their first word.
    """
    sets = {"baselines": BASELINES, "all": ALL}
    if names in sets:
        return sets[names]
    known = {**{method.stem: method for method in ALL}, **{method.name: method for method in ALL}}
    asked = [name.strip() for name in names.split(",")]
    for name in asked:
        if name not in known:
            raise UnknownNameError("method", name, [*sets, *(method.stem for method in ALL)])
    return tuple({known[name].name: known[name] for name in asked}.values())


def _strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _strings(value)
    elif isinstance(tree, Sequence):
        for value in tree:
            yield from _strings(value)


def _filled(tree: Any, places: Mapping[str, str]) -> Any:
    if isinstance(tree, str):
        return tree.format_map(places)
    if isinstance(tree, Mapping):
        return {key: _filled(value, places) for key, value in tree.items()}
    if isinstance(tree, Sequence):
        return [_filled(value, places) for value in tree]
    return tree
