"""A profile, `datacomp-profile/1`: what a board shows of a subset and of the run on it.

    portrait   histograms of what was kept beside the pool, how often samples repeat, captions
    curve      loss and logit scale over the samples seen, and how fast it went

It is a picture, not evidence: nothing is ranked by it. The bins are part of the schema, so that a
profile holds counts alone and any two can be laid over each other. P6xx, as `check_profile` says:

P601 too large                          P602 not a profile of this schema
P603 other bins than the schema's       P604 counts that do not add up
P605 of another pool or subset          P606 a caption that is too long, or not plain text
P607 a curve that is none
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from datacomp.files import canonical_json
from datacomp.reports import Finding
from datacomp.submission.checked import shown
from datacomp.submission.text import problems

SCHEMA: Literal["datacomp-profile/1"] = "datacomp-profile/1"
MAX_BYTES = 64 * 1024
MAX_CAPTION = 200
N_CAPTIONS = 12
MAX_POINTS = 200
N_LANGUAGES = 20
_SHOWN = 5

Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]


@dataclass(frozen=True)
class Feature:
    """What a histogram is of. Bin i holds values from `edges[i]` to below `edges[i + 1]`.

    The first bin also holds what is below it, the last what is above. `logarithmic`: the edges
    grow by factors.
    """

    name: str
    title: str
    unit: str
    edges: tuple[float, ...]
    logarithmic: bool = False

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1


def _even(low: float, high: float, n: int) -> tuple[float, ...]:
    return tuple(round(low + (high - low) * i / n, 6) for i in range(n + 1))


_PIXELS = tuple(round(32 * 2 ** (i / 2)) for i in range(17))  # 32 to 8,192
_RATIOS = tuple(round(2 ** (i / 4), 4) for i in range(-8, 9))  # 1:4 to 4:1
FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("clip_b32", "CLIP score, ViT-B/32", "cosine", _even(-0.6, 0.9, 60)),
        Feature("clip_l14", "CLIP score, ViT-L/14", "cosine", _even(-0.6, 0.9, 60)),
        Feature("width", "Width of the picture", "pixels", _PIXELS, logarithmic=True),
        Feature("height", "Height of the picture", "pixels", _PIXELS, logarithmic=True),
        Feature("aspect", "Width over height", "ratio", _RATIOS, logarithmic=True),
        Feature("characters", "Length of the caption", "characters", _even(0, 200, 20)),
        Feature("words", "Words of the caption", "words", _even(0, 30, 30)),
    )
}
REPEATS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 32, 64, 128, 256, 1024)
"""Where the bins of how often a sample stands in the subset begin; the last one is open."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Histogram(_Part):
    """How many rows, and entries of the subset among them, fall into each bin of a feature.

    `absent` of either have no such value.
    """

    pool: tuple[Count, ...] = Field(max_length=64)
    kept: tuple[Count, ...] = Field(max_length=64)
    pool_absent: Count = 0
    kept_absent: Count = 0


class Language(_Part):
    """A language by its code, and its rows and entries; the code `other` for all further ones."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,11}$", max_length=12)]
    pool: Count
    kept: Count


class Portrait(_Part):
    """A subset beside its pool.

    Histograms are of `rows_read` of the pool's rows, in `parts_read` of its `parts`, drawn by the
    pool's id alone, and of the `kept_read` entries of the subset among them; entries count as
    often as they stand in it. `repeats` is of the whole subset: different uids by how often they
    stand in it, in the bins of `REPEATS`. Captions are of different rows, drawn by the subset.
    """

    pool_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    pool_rows: Count
    subset_sha256: Sha256
    n: Count
    n_unique: Count
    parts: Count
    parts_read: Count
    rows_read: Count
    kept_read: Count
    histograms: dict[str, Histogram] = Field(max_length=len(FEATURES))
    languages: tuple[Language, ...] | None = Field(None, max_length=N_LANGUAGES + 2)
    repeats: tuple[Count, ...] = Field(min_length=len(REPEATS), max_length=len(REPEATS))
    kept_captions: tuple[str, ...] = Field(max_length=N_CAPTIONS)
    dropped_captions: tuple[str, ...] = Field(max_length=N_CAPTIONS)


class Curve(_Part):
    """A run's log, thinned: `samples` seen, and the loss (nats) and logit scale there."""

    samples: tuple[Count, ...] = Field(min_length=1, max_length=MAX_POINTS)
    loss: tuple[Finite, ...] = Field(max_length=MAX_POINTS)
    logit_scale: tuple[Finite, ...] = Field(max_length=MAX_POINTS)
    images_per_second: Annotated[Finite, Field(gt=0)] | None = Field(
        None, description="The median of the log's lines."
    )


class Profile(_Part):
    """What is known of a subset and of a run on it; either may be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_id: Literal["datacomp-profile/1"] = Field(SCHEMA, alias="schema")
    portrait: Portrait | None = None
    curve: Curve | None = None

    def as_json(self) -> dict[str, Any]:
        """As JSON values, keys as on the wire."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class Expected:
    """What a profile is to be of, as far as it is known: names of `Portrait`, and samples seen."""

    portrait: Mapping[str, object]
    samples_seen: int | None = None


def read_profile(value: Mapping[str, Any]) -> Profile:
    """A profile that was checked when it came."""
    return Profile.model_validate(value)


def check_profile(value: Any, expected: Expected) -> list[Finding]:
    """Every reason to refuse a profile, read from JSON."""
    try:
        size = len(canonical_json(value))
        if size > MAX_BYTES:
            found = f"the profile has {size:,} bytes, at most {MAX_BYTES:,} are taken"
            return [Finding("P601", None, found)]
        profile = Profile.model_validate(value)
    except ValidationError as error:
        return [
            Finding("P602", None, f"profile {_place(one['loc'])}: {one['msg']}")
            for one in error.errors()[:_SHOWN]
        ]
    except (ValueError, RecursionError) as error:
        return [Finding("P602", None, f"the profile is not plain JSON: {error}")]
    findings: list[Finding] = []
    if profile.portrait is not None:
        findings += [*_bins(profile.portrait), *_of(profile.portrait, expected)]
        findings += _sums(profile.portrait) if not findings else ()
        findings += _captions(profile.portrait)
    if profile.curve is not None:
        findings += _curve(profile.curve, expected.samples_seen)
    return findings


def repeats_of(portrait: Portrait) -> list[tuple[str, int]]:
    """How often samples stand in the subset, as (text, how many): only up to the last that is."""
    last = max((i for i, n in enumerate(portrait.repeats) if n), default=0)
    ends = (*REPEATS[1:], None)
    found = []
    for low, end, n in zip(REPEATS, ends, portrait.repeats, strict=True):
        text = f"{low:,} or more" if end is None else f"{low:,}" + _to(low, end - 1)
        found.append((text, n))
    return found[: last + 1]


def _to(low: int, high: int) -> str:
    return f" to {high:,}" if high > low else ""


def _place(loc: Sequence[int | str]) -> str:
    return shown(".".join(map(str, loc)))


def _bins(portrait: Portrait) -> Iterator[Finding]:
    for name, histogram in portrait.histograms.items():
        feature = FEATURES.get(name)
        if feature is None:
            known = ", ".join(FEATURES)
            yield Finding("P603", None, f"no histogram {shown(name)} is known; there are: {known}")
        elif {len(histogram.pool), len(histogram.kept)} != {feature.n_bins}:
            found = f"{len(histogram.pool)} and {len(histogram.kept)} bins"
            yield Finding("P603", None, f"histogram {name} has {found}, expected {feature.n_bins}")


def _of(portrait: Portrait, expected: Expected) -> Iterator[Finding]:
    for name, wanted in expected.portrait.items():
        found = getattr(portrait, name)
        if found != wanted:
            yield Finding("P605", None, f"its {name} is {shown(found)}, expected {shown(wanted)}")


def _sums(portrait: Portrait) -> Iterator[Finding]:
    p = portrait
    sums = [
        ("the samples that repeat", sum(p.repeats), p.n_unique),
        *((f"histogram {name}, pool", sum(h.pool) + h.pool_absent, p.rows_read)
          for name, h in p.histograms.items()),
        *((f"histogram {name}, kept", sum(h.kept) + h.kept_absent, p.kept_read)
          for name, h in p.histograms.items()),
    ]  # fmt: skip
    if p.languages is not None:
        sums.append(("the languages' rows", sum(one.pool for one in p.languages), p.rows_read))
        sums.append(("the languages' entries", sum(one.kept for one in p.languages), p.kept_read))
    for what, found, wanted in sums:
        if found != wanted:
            yield Finding("P604", None, f"{what}: the counts make {found:,}, expected {wanted:,}")
    bounds = [
        ("rows_read", p.rows_read, p.pool_rows),
        ("kept_read", p.kept_read, p.n),
        ("n_unique", p.n_unique, p.n),
        ("parts_read", p.parts_read, p.parts),
    ]
    if p.parts_read == p.parts:
        yield from _whole(p)
    for what, found, most in bounds:
        if found > most:
            yield Finding("P604", None, f"{what} is {found:,}, at most {most:,} can be")
    for name, h in p.histograms.items():
        if any(kept and not pool for kept, pool in zip(h.kept, h.pool, strict=True)):
            yield Finding("P604", None, f"histogram {name} keeps what the pool does not have")


def _whole(p: Portrait) -> Iterator[Finding]:
    for what, found, wanted in (
        ("rows_read", p.rows_read, p.pool_rows),
        ("kept_read", p.kept_read, p.n),
    ):
        if found != wanted:
            yield Finding(
                "P604", None, f"all parts were read, but {what} is {found:,} of {wanted:,}"
            )


def _captions(portrait: Portrait) -> Iterator[Finding]:
    for caption in (*portrait.kept_captions, *portrait.dropped_captions):
        for problem in problems(caption, limit=MAX_CAPTION):
            yield Finding("P606", None, f"the caption {shown(caption, 40)} {problem}")


def _curve(curve: Curve, samples_seen: int | None) -> Iterator[Finding]:
    lengths = {len(curve.samples), len(curve.loss), len(curve.logit_scale)}
    if len(lengths) > 1:
        yield Finding("P607", None, "the curve has not as many losses and scales as points")
    if any(a >= b for a, b in zip(curve.samples, curve.samples[1:], strict=False)):
        yield Finding("P607", None, "the curve's samples do not rise")
    last = curve.samples[-1]
    if samples_seen is not None and last > samples_seen:
        found = f"the curve goes to {last:,} samples, the run saw {samples_seen:,}"
        yield Finding("P607", None, found)
