"""What of a report stays in the database for boards: the main metric of every scored task."""

import pytest
from sqlalchemy import select

from datacomp.reports import load_suite
from datacomp_leaderboard.entries import TaskValues
from datacomp_leaderboard.rules import OFFICIAL, average_of
from datacomp_server.submissions.models import Result

SUITE = load_suite("tiny")


@pytest.fixture
def kept(service, make_report):
    """`kept(report)`: the tasks of its result, as the database gives them back."""

    def submit(report):
        service.submit(report)
        with service.context.database.reading() as session:
            return session.scalars(select(Result)).unique().one().tasks

    return submit


def test_every_scored_task_has_its_value_and_noise(kept, make_report):
    report = make_report(level=0.3)
    tasks = kept(report)

    expected = {task.key: report.tasks[task.key].main for task in SUITE.scored}
    assert tasks["values"] == {key: metric.value for key, metric in expected.items()}
    assert tasks["stderrs"] == {key: metric.stderr for key, metric in expected.items()}


def test_the_average_of_what_is_kept_is_the_reports_to_the_bit(kept, make_report):
    report = make_report(level=0.37)
    tasks = kept(report)

    found = average_of(TaskValues(tasks["values"], tasks["stderrs"]), OFFICIAL.weights(SUITE))
    own = report.aggregates.average
    assert (found.value, found.stderr) == (own.value, own.stderr)
