"""What a submission's page shows of its data and its training, from its profile; pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datacomp.submission.profile import FEATURES, Portrait, Profile, repeats_of
from datacomp_leaderboard.charting import Chart, Figure, portraits, runs
from datacomp_leaderboard.charting.portraits import Binned
from datacomp_leaderboard.formatting import count, percent
from datacomp_leaderboard.twins import Column, Table

MEASURED, DECLARED = "measured by a worker that trained on it", "made by its team"
_PREFIX = "portrait_"


@dataclass(frozen=True)
class DataPart:
    """The portrait of a subset: `source` says who made it, `rows` what it is over, `found` what it
    shows in sentences."""

    source: str
    rows: str
    found: tuple[str, ...]
    figures: tuple[Figure, ...]
    repeats: Figure | None
    kept_captions: tuple[str, ...]
    dropped_captions: tuple[str, ...]


@dataclass(frozen=True)
class TrainingPart:
    """The curve of a run; `source` says who made it, `facts` are (name, text)."""

    source: str
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class ProfileParts:
    """Both parts, and all their charts and tables."""

    data: DataPart | None
    training: TrainingPart | None
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]


def build_parts(
    profile: Profile | None, source: str, figure: Callable[[Chart], Figure]
) -> ProfileParts:
    """The parts of a profile, empty without one; `figure` makes of a chart what the page shows."""
    if profile is None:
        return ProfileParts(None, None, (), ())
    data = training = None
    charts: list[Chart] = []
    tables: tuple[Table, ...] = ()
    if (portrait := profile.portrait) is not None:
        drawn = list(_densities(portrait))
        repeats = portraits.repeats(repeats_of(portrait))
        data = DataPart(
            source=source,
            rows=_rows(portrait),
            found=tuple(_sentences(portrait)),
            figures=tuple(map(figure, drawn)),
            repeats=figure(repeats) if repeats else None,
            kept_captions=portrait.kept_captions,
            dropped_captions=portrait.dropped_captions,
        )
        charts += [*drawn, repeats] if repeats else drawn
        tables = (_captions(portrait),)
    if (curve := profile.curve) is not None:
        loss = runs.curve(curve.samples, curve.loss)
        scale = runs.curve(
            curve.samples,
            curve.logit_scale,
            name="logit_scale",
            title="Logit scale.",
            unit="factor",
        )
        lines = [chart for chart in (loss, scale) if chart is not None]
        facts = [("points of the log", count(len(curve.samples)))]
        if curve.images_per_second is not None:
            facts.append(("throughput, median", f"{curve.images_per_second:,.0f} images/s"))
        facts.append(("last loss", f"{curve.loss[-1]:.3f} nats"))
        training = TrainingPart(source, tuple(facts), tuple(map(figure, lines)))
        charts += lines
    return ProfileParts(data, training, tuple(charts), tables)


def _densities(portrait: Portrait) -> Iterator[Chart]:
    for name, feature in FEATURES.items():
        found = portrait.histograms.get(name)
        if found is None:
            continue
        binned = Binned(
            name=_PREFIX + name,
            title=feature.title,
            unit=feature.unit,
            edges=feature.edges,
            pool=found.pool,
            kept=found.kept,
            logarithmic=feature.logarithmic,
        )
        if (chart := portraits.density(binned)) is not None:
            yield chart
    if portrait.languages:
        rows = [(one.code, one.pool, one.kept) for one in portrait.languages]
        if (chart := portraits.languages(rows)) is not None:
            yield chart


def _rows(portrait: Portrait) -> str:
    p = portrait
    if p.parts_read == p.parts:
        return f"over all {count(p.pool_rows)} rows of the pool"
    return (
        f"over {count(p.rows_read)} of the pool's {count(p.pool_rows)} rows, in "
        f"{count(p.parts_read)} of its {count(p.parts)} parts, drawn by the pool's id alone"
    )


def _sentences(portrait: Portrait) -> Iterator[str]:
    p = portrait
    if p.n > p.n_unique:
        yield (
            f"It has {count(p.n)} entries of {count(p.n_unique)} different samples: on average "
            f"each stands there {p.n / max(p.n_unique, 1):.2g} times."
        )
    for name in ("clip_l14", "clip_b32"):
        found = p.histograms.get(name)
        if found is None or not sum(found.pool) or p.n != p.n_unique:
            continue
        top, kept = _best_tenth(found.pool, found.kept)
        yield (
            f"Of the {percent(top / sum(found.pool))} of the pool with the highest "
            f"{FEATURES[name].title} it keeps {percent(kept / top)}, of the others "
            f"{percent((sum(found.kept) - kept) / max(sum(found.pool) - top, 1))}."
        )
        return


def _best_tenth(pool: tuple[int, ...], kept: tuple[int, ...]) -> tuple[int, int]:
    """Rows and kept entries of the highest bins that hold a tenth of the pool, or more."""
    top = chosen = 0
    for rows, entries in zip(reversed(pool), reversed(kept), strict=True):
        top, chosen = top + rows, chosen + entries
        if 10 * top >= sum(pool):
            break
    return top, chosen


def _captions(portrait: Portrait) -> Table:
    columns = (Column("kept", "Kept", "bool"), Column("caption", "Caption", "text"))
    cells = [(True, text) for text in portrait.kept_captions]
    cells += [(False, text) for text in portrait.dropped_captions]
    return Table("captions", "Random captions, kept and dropped", columns, tuple(cells))
