"""How far a submission was verified, and why it is ranked or not: from facts to sentences; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from datacomp.submission.levels import Level
from datacomp_leaderboard.formatting import count
from datacomp_leaderboard.ranking import PODIUM, PODIUM_LEVEL, RankedRow


@dataclass(frozen=True)
class Gate:
    """One condition of a rank, as a sentence, and whether it holds."""

    passed: bool
    text: str


@dataclass(frozen=True)
class EvidenceLine:
    """One piece of evidence as a sentence; `against` says that it speaks against the numbers."""

    at: datetime
    text: str
    against: bool


@dataclass(frozen=True)
class ResultLine:
    """One report with numbers: who made it, of which training seed; `shown` is the page's own."""

    source: str
    seed: int
    average: float | None
    report_url: str
    shown: bool


@dataclass(frozen=True)
class Twin:
    """Another submission with the very same numbers."""

    id: str
    method: str
    team: str


@dataclass(frozen=True)
class OverlapLine:
    """An earlier submission whose subset shares much; `share` is the Jaccard index."""

    id: str
    method: str
    team: str
    share: float
    exact: bool


@dataclass(frozen=True)
class Trust:
    """The part of a submission's page about its verification."""

    level: Level
    ranked: bool
    gates: tuple[Gate, ...]
    evidence: tuple[EvidenceLine, ...]
    results: tuple[ResultLine, ...]
    twins: tuple[Twin, ...]
    overlaps: tuple[OverlapLine, ...]


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What verification knows of a submission; `capped`: something speaks against its numbers.

    `marks` are what was said of it, as kind and reason.
    """

    level: Level
    capped: bool
    evidence: tuple[EvidenceLine, ...]
    results: tuple[ResultLine, ...]
    twins: tuple[Twin, ...]
    marks: tuple[tuple[str, str | None], ...] = ()
    overlaps: tuple[OverlapLine, ...] = ()


def build_trust(
    known: Verified, submission_id: str, *, outdated: bool, row: RankedRow | None
) -> Trust:
    """The page's part; `row` is the submission's own on the board, None if it has none there."""
    return Trust(
        level=known.level,
        ranked=row is not None and row.rank is not None,
        gates=tuple(_gates(known, submission_id, outdated, row)),
        evidence=known.evidence,
        results=known.results,
        twins=known.twins,
        overlaps=known.overlaps,
    )


def source_words(source: str) -> str:
    """Who made a result: reported, evaluated or trained in words."""
    return {
        "reported": "reported by its team",
        "evaluated": "evaluated by a worker",
        "trained": "trained and evaluated by a worker",
    }[source]


def _gates(
    known: Verified, submission_id: str, outdated: bool, own: RankedRow | None
) -> Iterator[Gate]:
    for kind, reason in known.marks:
        if kind in _OFF_THE_RANKS:
            yield Gate(False, _OFF_THE_RANKS[kind] + (f": {reason}" if reason else "."))
            if kind != "baseline":
                return
    if outdated:
        yield Gate(False, "It was evaluated with an older version of the board's suite.")
        return
    yield Gate(True, "It was evaluated with the board's version of the suite.")
    if own is None:
        yield Gate(False, "No result of it stands on the board.")
        return
    row = own.row
    counted = submission_id in row.submissions
    yield Gate(
        counted,
        "It counts for its training seed."
        if counted
        else "A newer submission of the same method and seed counts in its place.",
    )
    complete = row.average is not None
    yield Gate(
        complete,
        "Every scored task has a number."
        if complete
        else "A scored task has no number, in this or another seed of the method.",
    )
    yield Gate(
        not row.oracle,
        "Its subset was chosen with what the pool's builder knows."
        if row.oracle
        else "Its subset does not use the truth.",
    )
    if known.capped:
        yield Gate(False, "What a worker measured contradicts it, or a challenge was upheld.")
    yield _podium(own)


_OFF_THE_RANKS = {
    "withdrawn": "Its team withdrew it",
    "disqualified": "An organiser disqualified it",
    "baseline": "It is an organisers' baseline, which has no rank",
}


def _podium(own: RankedRow) -> Gate:
    level, needed = own.row.level, PODIUM_LEVEL.label
    if level >= PODIUM_LEVEL:
        return Gate(True, f"It is {level.label}: ranks 1 to {PODIUM} are open to it.")
    return Gate(
        own.rank is not None,
        f"It, or another seed of the method, is only {level.label}: ranks 1 to {PODIUM} are for "
        f"methods that were {needed}.",
    )


def sentence(
    kind: str,
    worker: str | None,
    seed: int | None,
    differing: Sequence[str],
    pictures: tuple[int, int] | None = None,
) -> str:
    """One piece of evidence in words; `differing` are the tasks of a contradiction.

    `pictures` are those that were there of a team's own data, and the addresses.
    """
    by = f"worker {worker}" if worker else "a worker"
    trained = "" if seed is None else f" with seed {seed}"
    if kind == "contradiction":
        shown = ", ".join(differing[:3]) + (", ..." if len(differing) > 3 else "")
        return f"{by} measured other numbers{trained}: {shown}"
    data = "subset"
    if pictures is not None:
        there, rows = map(count, pictures)
        data = f"data, {there} pictures of {rows} addresses,"
    return {
        "report": "the report passed every check",
        "attestation": "its team signed it with a registered key",
        "evaluation": f"{by} evaluated the submitted weights",
        "training": f"{by} trained on the submitted {data}{trained} and evaluated",
    }[kind]
