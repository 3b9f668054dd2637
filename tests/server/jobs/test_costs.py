"""What jobs cost is an organiser's: changed by scale and kind, wrong names are told."""

import pytest
from pydantic import ValidationError

from datacomp.errors import UnknownNameError
from datacomp_leaderboard.scales import SCALES
from datacomp_server import Settings
from datacomp_server.jobs.costs import COSTS, Cost


def test_every_scale_has_its_costs():
    assert list(Settings().job_costs) == list(COSTS) == list(SCALES)


def test_what_is_not_named_stays(monkeypatch):
    monkeypatch.setenv("DATACOMP_SERVER_JOB_COSTS", '{"tiny": {"train": 7}}')

    costs = Settings().job_costs

    assert costs["tiny"] == Cost(filter=600, train=7, evaluate=120)
    assert costs["small"] == COSTS["small"]


@pytest.mark.parametrize("costs", [{"tiny": {"train": 0}}, {"tiny": {"score": 1}}, {"tiny": 5}, 5])
def test_wrong_costs(costs):
    with pytest.raises(ValidationError, match="job_costs"):
        Settings(job_costs=costs)


def test_a_scale_that_is_none():
    with pytest.raises(UnknownNameError, match="Did you mean 'tiny'"):
        Settings(job_costs={"tinny": {"train": 1}})
