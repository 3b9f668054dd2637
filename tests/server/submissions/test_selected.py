"""What a plugin selected, once a worker ran it: checked and compared like a subset handed in."""

import io
import zipfile

import pytest

from datacomp_server.artifacts.models import Artifact, Upload
from datacomp_server.jobs import lease
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.lease import Finish
from datacomp_server.jobs.outcomes import Output
from datacomp_server.jobs.policy import Policy
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import SubsetSketch

POOL = "b" * 64


@pytest.fixture
def selected(desk):
    """`selected(subset file)`: a worker runs the plugin and sends that."""

    def run(file):
        context, moment = desk.context, desk.clock()
        policy, asker = Policy.of(context.settings), Asker("w1", ("plugins",), (POOL,))
        with context.database.writing() as session:
            leased = lease.claim(session, policy, asker, moment=moment)
        size = len(file.data)
        context.artifacts.put_bytes(file.data)
        with context.database.writing() as session:
            if session.get(Artifact, file.sha256) is None:
                session.add(Artifact(sha256=file.sha256, size=size, created_at=moment))
                session.flush()
            facts = {"size": size, "received": size, "expires_at": moment, "completed_at": moment}
            session.add(Upload(lease_id=leased.id, sha256=file.sha256, **facts))
        with context.database.writing() as session:
            left = [Output("subset", file.sha256), Output("lock", file.sha256)]
            lease.finish(session, context, leased.id, Finish(None, None, left), moment=moment)
        assert desk.check() == 1

    return run


@pytest.fixture
def plugin(desk, make_file, tmp_path):
    """An accepted submission of a plugin; its id."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = "mine-1.0.dist-info"
        archive.writestr("mine.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[datacomp.filters]\nmine = mine:Mine\n")
        archive.writestr(f"{info}/RECORD", "")
    files = make_file("plugin", content.getvalue()), make_file("selection", b"select: mine\n")
    made = desk.hand_in(*files, kind="plugin", scale="tiny", pool_id=POOL, method="plugged")
    assert made["state"] == "accepted", made
    return made["id"]


def test_it_is_compared_with_what_was_handed_in(desk, run, make_subset, plugin, selected):
    report, subset, checkpoint = run
    earlier = desk.hand_in(subset, checkpoint, report=report, team="Beta")
    selected(make_subset(range(60))[0])
    with desk.context.database.reading() as session:
        (overlap,) = repository.overlaps(session, plugin)
        assert (overlap.other_id, overlap.exact) == (earlier["id"], False)
        assert overlap.jaccard == pytest.approx(0.6)
        assert session.get_one(SubsetSketch, plugin).n_unique == 60
    assert desk.get(plugin)["state"] == "accepted"


def test_what_is_no_subset_is_not_kept(desk, make_file, plugin, selected):
    selected(make_file("subset", b"neither"))
    with desk.context.database.reading() as session:
        assert session.get(SubsetSketch, plugin) is None
