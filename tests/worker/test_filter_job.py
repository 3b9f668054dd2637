"""The job of kind filter: an honest plugin ends as a subset with its lock, others with a code."""

import io
import json
import os
import tarfile

import pytest

from datacomp.errors import PoolError
from datacomp.pool import open_pool
from datacomp.subset import read_lock, read_subset
from datacomp.worker import plugins
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Order
from datacomp.worker.sandbox import MIB, Limits, SandboxError
from datacomp.worker.tasks import filter as job
from datacomp.worker.tasks.filter import PluginPlace, filter_job, filter_pool
from datacomp.worker.telling import Telling
from support.plugins import SELECTION, wheel

pytestmark = pytest.mark.usefixtures("default_sandbox")
SMALL = Limits(
    wall_seconds=300,
    memory_bytes=1024 * MIB,
    scratch_bytes=64 * MIB,
    output_bytes=MIB,
    processes=64,
)


def sdist(path, setup):
    """An sdist that setuptools builds by running `setup`."""
    files = {
        "setup.py": setup,
        "pyproject.toml": "[build-system]\nrequires = ['setuptools']\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: few-words\nVersion: 0.1.0\n",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"few_words-0.1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def attempt(tmp_path, plugin_pool):
    """`attempt(plugin, selection, limits, look)`; the log is at `tmp_path/"log"`."""

    def tried(plugin, selection=SELECTION, limits=SMALL, look=None):
        (tmp_path / "selection.yaml").write_text(selection)
        inputs = {"plugin": plugin, "selection": tmp_path / "selection.yaml"}
        with (tmp_path / "log").open("wb") as log:
            place = PluginPlace(plugin_pool, limits=limits)
            return filter_job(tmp_path / "job", inputs, place, log, look)

    return tried


@pytest.fixture
def log(tmp_path):
    return lambda: (tmp_path / "log").read_text()


@pytest.fixture
def unchecked(monkeypatch):
    """Without the kit, which these plugins would pass anyway: they could tell it from a pool."""
    monkeypatch.setattr(job, "TASKS", ("select",))


def test_an_honest_plugin_ends_as_a_subset_with_its_lock(tmp_path, plugin_pool, attempt, log):
    told = set()
    made = attempt(wheel(tmp_path / "w"), look=lambda task, seconds: told.add(task))
    assert "passed   no_network" in log()
    assert told == {"check", "select"}
    assert made.facts.n == 1
    lock = read_lock(made.subset)
    assert lock["operation"] == "plugin"
    assert lock["selection_file"] == SELECTION
    assert lock["pool_id"] == open_pool(str(plugin_pool)).manifest.pool_id
    assert lock["counts"] == {"rows": 4, "kept": 1, "entries": 1}
    assert lock["sha256"] == read_subset(made.subset).sha256 == made.facts.sha256
    assert not lock["uses_truth"]


GIVE = """
import io, os
import numpy as np
def give(data):
    os.write(int(os.environ["DATACOMP_RESULT_FD"]), data)
    os._exit(0)
def npy(uids):
    file = io.BytesIO()
    np.save(file, np.array(uids, dtype="u8,u8"))
    return file.getvalue()
"""


def test_what_it_gives_out_counts_not_what_it_says_of_it(tmp_path, attempt, unchecked):
    forged = (
        GIVE
        + """
import json, sys, datacomp.filtering.run, datacomp.subset.blocks
datacomp.filtering.run._lock = lambda *args: {"counts": {"rows": 10**9}, "pool_id": "mine"}
json.dump({"sha256": "0" * 64}, open("/tmp/subset.npy.lock.json", "w"))
print(sorted(os.listdir("/pool")), flush=True)
give(npy([(0, 1), (0, 1), (0, 4)]))
"""
    )
    made = attempt(wheel(tmp_path / "w", forged))
    lock = json.loads(made.lock.read_text())
    assert lock["counts"] == {"rows": 4, "kept": 2, "entries": 3}
    assert lock["pool_id"] != "mine"
    assert lock["sha256"] == read_subset(made.subset).sha256
    assert "['index', 'metadata', 'pool.json']" in (tmp_path / "log").read_text()


@pytest.fixture
def order(tmp_path, plugin_pool):
    """`order(plugin, **changes)`: what the agent writes for a job of this kind."""

    def make(plugin, **changes):
        (tmp_path / "selection.yaml").write_text(SELECTION)
        inputs = {"plugin": str(plugin), "selection": str(tmp_path / "selection.yaml")}
        facts = {"pool": str(plugin_pool), "eval_data": None, "device": "cpu"}
        facts |= {"decode_threads": 1, "checkpoint_seconds": 60.0, "params": {"wall_seconds": 300}}
        return Order(kind="filter", inputs=inputs, work=str(tmp_path / "work"), **facts | changes)

    return make


def test_as_a_task_it_leaves_subset_and_lock(tmp_path, order, unchecked, capsysbinary):
    asked = order(wheel(tmp_path / "w", GIVE + "give(npy([(0, 2)]))"))
    made = filter_pool(asked, tmp_path / "work", Telling(tmp_path))
    assert [one.role for one in made] == ["subset", "lock"]
    assert made[0].facts["n"] == 1
    assert json.loads(made[1].path.read_text())["sandbox"]["limits"]["wall_seconds"] == 300
    assert json.loads((tmp_path / "progress.json").read_text()) == {"stage": "plugin: select"}
    assert b"== install the plugin" in capsysbinary.readouterr().out


def test_a_pool_elsewhere_is_not_the_plugins_fault(tmp_path, order):
    with pytest.raises(SandboxError, match="local folder"):
        filter_pool(order("plugin", pool="s3://pools/tiny"), tmp_path / "work", Telling(None))


@pytest.mark.parametrize(
    ("plugin", "code", "said"),
    [
        (lambda path: wheel(path, "raise ValueError('mine')"), "plugin_check", "ValueError: mine"),
        (
            lambda path: wheel(path, metadata="Requires-Dist: some-package-of-mine>=2"),
            "plugin_needs",
            "some-package-of-mine>=2",
        ),
        (
            lambda path: sdist(path, "print(open('/etc/shadow').read())"),
            "plugin_install",
            "No such file or directory: '/etc/shadow'",
        ),
        (
            lambda path: sdist(path, "from setuptools import setup; setup(py_modules=[])"),
            "plugin_registered",
            "no entry point in the group datacomp.filters",
        ),
        (
            lambda path: sdist(path, "import os; os.kill(os.getppid(), 9)"),
            "plugin_install",
            "pip ended with -9",
        ),
    ],
)
def test_a_plugin_that_is_none_is_refused_with_a_code(tmp_path, attempt, log, plugin, code, said):
    with pytest.raises(UserFault) as refused:
        attempt(plugin(tmp_path / "plugin"))
    assert refused.value.code == code
    assert said in log()
    # What the plugin said stays in the log, which is for its team.
    assert said not in str(refused.value)


@pytest.mark.parametrize(
    ("plugin", "selection", "code"),
    [
        (lambda path: wheel(path, entry=""), SELECTION, "F408"),
        (lambda path: path.write_bytes(b"neither") and path, SELECTION, "F401"),
        (wheel, "select: !!python/object/apply:os.abort []", "F502"),
    ],
)
def test_files_are_checked_before_anything_of_them_runs(
    tmp_path, attempt, plugin, selection, code, monkeypatch
):
    monkeypatch.setattr(job, "run", None)
    with pytest.raises(UserFault) as refused:
        attempt(plugin(tmp_path / "plugin"), selection)
    assert refused.value.code == code


def test_a_selection_without_the_plugin_is_refused(tmp_path, attempt, log):
    with pytest.raises(UserFault, match="names no filter of the plugin") as refused:
        attempt(wheel(tmp_path / "w"), "select: basic_filter")
    assert refused.value.code == "plugin_selection"
    assert "expected a filter of the plugin's: few_words" in log()


def test_a_plugin_that_hangs_is_ended(tmp_path, attempt):
    limits = Limits(wall_seconds=1.0)
    with pytest.raises(UserFault, match="longer than it may") as refused:
        attempt(sdist(tmp_path / "s", "while True: pass"), limits=limits)
    assert refused.value.code == "plugin_time"


def test_a_machine_that_lacks_what_builds_plugins_says_so(tmp_path, attempt, monkeypatch):
    monkeypatch.setattr(plugins, "NEEDED", ("pip", "not_there"))
    with pytest.raises(SandboxError, match=r"not_there: not installed.*datacomp\[worker\]"):
        attempt(wheel(tmp_path / "w"))


def test_without_an_index_it_is_not_the_plugins_fault(tmp_path, plugin_pool, attempt):
    (plugin_pool / "pool.json").unlink()
    with pytest.raises(PoolError, match="datacomp pool index"):
        attempt(wheel(tmp_path / "w"))


@pytest.mark.skipif(os.getuid() != 0, reason="who is not root keeps its user in the sandbox")
def test_a_pool_that_others_cannot_read_is_not_the_plugins_fault(tmp_path, plugin_pool, attempt):
    (plugin_pool / "metadata").chmod(0o700)
    with pytest.raises(SandboxError, match="chmod -R"):
        attempt(wheel(tmp_path / "w"))
