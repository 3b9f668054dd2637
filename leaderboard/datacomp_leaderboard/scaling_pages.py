"""The page of methods across scales, with its tables and charts; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from datacomp_leaderboard.charting import Chart, Figure, available
from datacomp_leaderboard.charting.scaling import Line, lines
from datacomp_leaderboard.charts import shade
from datacomp_leaderboard.entries import Row, Spread
from datacomp_leaderboard.scaling import LEAST_FOR_INTERVAL, Family, Kept, Transfer
from datacomp_leaderboard.twins import Cell, Column, Table

ADDRESS = "/scaling"
_METHODS_SHOWN = 60
_KEPT_SHOWN = 12


@dataclass(frozen=True)
class MethodLine:
    """A method; `cells` are its row and average at each scale, None where it has none."""

    team: str
    method: str
    published: bool
    cells: tuple[tuple[Row, Spread] | None, ...]


@dataclass(frozen=True)
class TransferCell:
    """One pair of scales; `shade` from 0 (no agreement, or unknown) to 6 (the same order)."""

    transfer: Transfer
    shade: int


@dataclass(frozen=True)
class KeptList:
    """The methods of a scale that none beats with fewer samples, fewest first; of `n` methods."""

    scale: str
    lines: tuple[Kept, ...]
    n: int


@dataclass(frozen=True)
class FamilyView:
    """What stands on the boards of one suite; `matrix` has a line per smaller scale."""

    suite: str
    scales: tuple[str, ...]
    figure: Figure | None
    methods: tuple[MethodLine, ...]
    n_methods: int
    matrix: tuple[tuple[str, tuple[TransferCell | None, ...]], ...]
    kept: tuple[KeptList, ...]


@dataclass(frozen=True)
class ScalingPage:
    """Methods across scales, by suite; `least` is how many methods an interval needs."""

    template: ClassVar[str] = "scaling.html"

    title: str
    families: tuple[FamilyView, ...]
    least: int


@dataclass(frozen=True)
class Scaling:
    """The page with its data; the first table is of methods."""

    page: ScalingPage
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]


def build_scaling(families: Sequence[Family]) -> Scaling:
    """The page of families of two scales or more, and of one where it is all there is."""
    views, charts = [], []
    for family in families:
        chart = _chart(family, f"lines-{family.name}")
        figure = Figure(chart, f"{ADDRESS}/{chart.name}", "", available()) if chart else None
        charts += [chart] if chart else []
        views.append(_view(family, figure))
    # what has more scales says more
    views.sort(key=lambda view: -len(view.scales))
    page = ScalingPage("Scaling", tuple(views), LEAST_FOR_INTERVAL)
    return Scaling(page, _tables(families), tuple(charts))


def _view(family: Family, figure: Figure | None) -> FamilyView:
    by_pair = {(one.small, one.large): one for one in family.transfers}
    larger = family.scales[1:]
    matrix = tuple(
        (small, tuple(_cell(by_pair.get((small, large))) for large in larger))
        for small in family.scales[:-1]
    )
    return FamilyView(
        suite=family.suite,
        scales=family.scales,
        figure=figure,
        methods=tuple(
            MethodLine(
                method.team,
                method.method,
                any(row.published for row in method.rows.values()),
                tuple(_scored(method.rows.get(scale)) for scale in family.scales),
            )
            for method in family.methods[:_METHODS_SHOWN]
        ),
        n_methods=len(family.methods),
        matrix=matrix,
        kept=tuple(_kept(scale, rows) for scale, rows in family.kept.items()),
    )


def _scored(row: Row | None) -> tuple[Row, Spread] | None:
    return (row, row.average) if row is not None and row.average is not None else None


def _cell(transfer: Transfer | None) -> TransferCell | None:
    if transfer is None:
        return None
    tau = transfer.tau
    return TransferCell(transfer, shade(None if tau is None else max(tau, 0.0), (0.0, 1.0)))


def _kept(scale: str, rows: Sequence[Kept]) -> KeptList:
    efficient = tuple(one for one in rows if one.efficient)
    return KeptList(scale, efficient[-_KEPT_SHOWN:], len(rows))


def _chart(family: Family, name: str) -> Chart | None:
    methods = [
        Line(
            method.method,
            method.team,
            {
                scale: (row.average.mean, row.average.half_width)
                for scale, row in method.rows.items()
                if row.average is not None
            },
        )
        for method in family.methods
    ]
    return lines(methods, family.scales, name=name)


def _tables(families: Sequence[Family]) -> tuple[Table, ...]:
    methods: list[tuple[Cell, ...]] = []
    transfers: list[tuple[Cell, ...]] = []
    kept: list[tuple[Cell, ...]] = []
    for family in families:
        for method in family.methods:
            for scale, row in method.rows.items():
                average = row.average
                assert average is not None, "methods without a number were left out"
                cells = (family.suite, method.team, method.method, scale)
                methods.append((*cells, average.mean, average.stderr, row.published, row.id))
        for one in family.transfers:
            pair = (family.suite, one.small, one.large)
            transfers.append((*pair, one.n, one.tau, one.low, one.high))
        for scale, rows in family.kept.items():
            for line in rows:
                row = line.row
                sizes = (row.subset_size, row.subset_unique, row.share)
                said = (line.average, line.efficient, row.id)
                kept.append((scale, row.team, row.method, *sizes, *said))
    return (
        Table("methods", "Methods at two scales or more", _METHODS, tuple(methods)),
        Table("transfer", "Rank transfer between scales", _TRANSFERS, tuple(transfers)),
        Table("kept", "Averages against samples kept", _KEPT, tuple(kept)),
    )


_TEAM, _METHOD = Column("team", "Team", "text"), Column("method", "Method", "text")
_SUITE, _SCALE = Column("suite", "Suite", "text"), Column("scale", "Scale", "text")
_AVERAGE, _ID = Column("average", "Average", "float"), Column("id", "Id", "text")
_METHODS = (
    _SUITE,
    _TEAM,
    _METHOD,
    _SCALE,
    _AVERAGE,
    Column("average_stderr", "Standard error", "float"),
    Column("published", "Published", "bool"),
    _ID,
)
_TRANSFERS = (
    _SUITE,
    Column("from_scale", "From", "text"),
    Column("to_scale", "To", "text"),
    Column("n", "Methods at both", "int"),
    Column("tau", "Kendall's tau", "float"),
    Column("low", "95% from", "float"),
    Column("high", "to", "float"),
)
_KEPT = (
    _SCALE,
    _TEAM,
    _METHOD,
    Column("samples", "Samples", "int"),
    Column("unique_samples", "Unique samples", "int"),
    Column("share", "Share of the pool", "float"),
    _AVERAGE,
    Column("efficient", "None with fewer is as good", "bool"),
    _ID,
)
