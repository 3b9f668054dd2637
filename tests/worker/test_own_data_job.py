"""A training on a team's own data: pictures of a server on the loopback, which is allowed for."""

import io
import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.errors import DatacompError, PoolError
from datacomp.pool import open_pool
from datacomp.pool.download import DownloadReport, Summary
from datacomp.pool.pairs import PairsId
from datacomp.submission.checks import check_file
from datacomp.training import load_scale, whole_pool
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Order, read_order, read_result, write_order
from datacomp.worker.tasks import together
from datacomp.worker.tasks.own_data import found_facts, own_pool
from datacomp.worker.tasks.together import once
from datacomp.worker.tasks.train import _data, _subset
from datacomp.worker.telling import Telling

DO_TASK = Path(__file__).with_name("do_task.py")
LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Pictures:
    """A picture at every address but those that begin with /gone."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, request):
        self.asked.append(request.path)
        if request.path.startswith("/gone"):
            request.send(b"no", 404)
            return
        number = int(request.path.strip("/").split(".")[0])
        pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).resize((64, 48)).save(buffer, "PNG")
        request.send(buffer.getvalue())


@pytest.fixture
def pictures(serve):
    with serve(Pictures()) as owner:
        yield owner


@pytest.fixture
def make_order(tmp_path, pictures):
    """`make_order(urls, **fields)`: the folder of an attempt to train on these addresses."""

    def make(urls, byod=LOOPBACK):
        folder = tmp_path / "job" / "lease"
        folder.mkdir(parents=True)
        path = tmp_path / "byod.parquet"
        captions = [f"picture {number}" for number in range(len(urls))]
        pq.write_table(pa.table({"url": urls, "caption": captions}), path)
        order = Order(
            kind="train",
            params={"scale": "smoke", "seed": 0, "subset_name": "mine"},
            inputs={"byod": str(path)},
            work=str(folder.parent / "work"),
            pool=None,
            eval_data=None,
            device="cpu",
            decode_threads=1,
            checkpoint_seconds=300.0,
            byod=byod,
        )
        write_order(folder, order)
        return folder

    return make


def test_the_pictures_that_are_there_are_trained_on(make_order, pictures, tmp_path):
    urls = [f"{pictures.url}/{number}.png" for number in range(80)]
    urls += [f"{pictures.url}/gone/{number}.png" for number in range(3)]
    urls += ["http://10.255.255.1:9/1.png"]
    folder = make_order(urls)
    subprocess.run([sys.executable, str(DO_TASK), str(folder)], check=True)

    result = read_result(folder)
    assert result.outcome == "succeeded", result.detail
    facts = result.outputs[0].facts
    reasons = {"not found (404, 410)": 3, "not a public address": 1}
    assert facts["own_data"] == {"rows": 84, "pictures": 80, "failures": reasons}
    run = json.loads(Path(result.outputs[1].path).read_text())
    known = PairsId()
    known.add(urls, [f"picture {number}" for number in range(84)])
    assert (run["pool_id"], run["pool_size"]) == (known.pool_id, 84)
    assert (run["subset"]["n"], run["dead_links"]) == (84, 4)
    assert check_file("byod", tmp_path / "byod.parquet").facts["pool_id"] == known.pool_id

    # Another attempt on this machine asks for nothing again.
    asked, work = len(pictures.asked), folder.parent / "work"
    own = own_pool(read_order(folder), work, Telling(None))
    assert (own.facts, len(pictures.asked)) == (facts["own_data"], asked)

    # A variant that reads in sequence gets tars of the same pool and subset.
    data, origin = _data(read_order(folder), load_scale("smoke", "sequential"), own.pool, work)
    assert (origin.pool_id, origin.pool_size) == (run["pool_id"], 84)
    assert (origin.subset.name, origin.subset.sha256) == ("mine", run["subset"]["sha256"])
    assert (data.dead_links, [source.n for source in origin.sources]) == (4, [80])


@pytest.mark.parametrize(
    ("failures", "fault"),
    [
        ({"not found (404, 410)": 1, "timeout": 1}, UserFault),
        ({"not a public address": 2}, UserFault),
        ({"host not found": 1, "no connection": 1}, PoolError),
    ],
)
def test_whose_fault_it_is_that_there_is_no_picture(failures, fault):
    summary = Summary(2, 2, 0, failures, 0, 0, 1, 1, {}, 0, 0.0)
    with pytest.raises(fault, match="not one of 2 addresses gave a picture") as raised:
        found_facts(DownloadReport("pool", {}, 1, 0, 1, 0, summary))
    assert type(raised.value) is fault


def test_a_shard_that_failed_is_this_machines_fault():
    summary = Summary(2, 1, 1, {}, 0, 0, 2, 1, {"00000001": "disk full"}, 0, 0.0)
    with pytest.raises(PoolError, match="shard 00000001: disk full"):
        found_facts(DownloadReport("pool", {}, 1, 0, 1, 0, summary))


def test_without_leave_nothing_is_asked_for(make_order, pictures, tmp_path):
    order = read_order(make_order([f"{pictures.url}/1.png"], byod=None))
    with pytest.raises(PoolError, match="does not follow addresses of teams"):
        own_pool(order, tmp_path, Telling(None))
    assert not pictures.asked


def test_a_subset_that_was_said_to_be_the_whole_pool(make_order, plugin_pool):
    pool, order = open_pool(str(plugin_pool)), read_order(make_order([]))
    whole = whole_pool(pool)
    order = replace(order, inputs={}, params={"whole_pool": whole.sha256})
    assert _subset(order, pool).sha256 == whole.sha256
    with pytest.raises(UserFault, match="is not the whole pool, which has 4 entries"):
        _subset(replace(order, params={"whole_pool": 64 * "a"}), pool)


class TestOnce:
    """Of several processes of a task."""

    def order(self):
        return Order("train", {}, {}, "", None, None, "cpu", 1, 1.0, meeting_port=7)

    def test_the_first_does_it_and_the_others_are_told(self, tmp_path, monkeypatch):
        assert once(self.order(), tmp_path, "fetched", lambda: {"rows": 3}) == {"rows": 3}
        monkeypatch.setenv("RANK", "1")
        assert once(self.order(), tmp_path, "fetched", lambda: 1 / 0) == {"rows": 3}

    def test_the_others_fail_with_the_first(self, tmp_path, monkeypatch):
        with pytest.raises(ZeroDivisionError):
            once(self.order(), tmp_path, "fetched", lambda: 1 / 0)
        monkeypatch.setenv("RANK", "1")
        with pytest.raises(DatacompError, match="the first process failed: ZeroDivisionError"):
            once(self.order(), tmp_path, "fetched", lambda: None)

    def test_the_others_do_not_wait_for_one_that_is_gone(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RANK", "1")
        parents = iter([1, 2])
        monkeypatch.setattr(together.os, "getppid", lambda: next(parents))
        with pytest.raises(DatacompError, match="first process is gone"):
            once(self.order(), tmp_path, "fetched", lambda: None)
