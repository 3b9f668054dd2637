"""The pages that look across boards: scaling and tasks."""

from collections.abc import Mapping

from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.scales import SCALES
from datacomp_leaderboard.scaling import families
from datacomp_leaderboard.scaling_pages import build_scaling
from datacomp_leaderboard.task_pages import build_task, build_tasks, find_task, task_table
from datacomp_server.boards.data import Source
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.kit.errors import NotFound


def scaling(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """Methods across scales."""
    only(query)
    built = build_scaling(families(every_board(source)))
    return Made(built.page, built.tables, built.charts)


def tasks(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """Every task of every suite."""
    only(query)
    page, table = build_tasks(every_board(source))
    return Made(page, (table,), tuple(s.figure.chart for s in page.suites if s.figure))


def task(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """One task; `NotFound` if no suite has it."""
    only(query)
    boards = every_board(source)
    found = find_task(boards, params["task"])
    if found is None:
        raise NotFound(f"there is no task {params['task']!r}; all of them: /t")
    return Made(build_task(*found, boards), lambda: (task_table(*found, boards),))


def every_board(source: Source) -> list[BoardData]:
    """The board of every scale, in order of compute."""
    return [source.board(scale) for scale in SCALES]
