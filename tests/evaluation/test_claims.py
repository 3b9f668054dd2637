"""Locks on pieces of work: one holder at a time, free again when the holder is gone."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from datacomp.errors import EvaluationError
from datacomp.evaluation import claims
from datacomp.evaluation.claims import claim, share

HOLDER = """
import sys
from pathlib import Path
from datacomp.evaluation.claims import claim
with claim(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "tasks" / "one.lock"


@pytest.fixture
def holder(lock: Path):
    """Another process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"True\n"
    yield process
    process.kill()
    process.communicate()


def test_one_holder_at_a_time(lock: Path) -> None:
    with claim(lock) as first, claim(lock) as second:
        assert (first, second) == (True, False)
    with claim(lock) as third:
        assert third
    assert not lock.exists()


def test_an_error_frees_the_lock(lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), claim(lock):
        _ = 1 / 0
    assert not lock.exists()


def test_who_waits_comes_to_hold_the_lock(lock: Path) -> None:
    order = []

    def wait() -> None:
        with claim(lock, wait=True) as mine:
            order.append(("waited", mine, lock.exists()))

    with claim(lock):
        waiting = Thread(target=wait)
        waiting.start()
        order.append("held")
    waiting.join(20)
    assert order == ["held", ("waited", True, True)]


def test_a_killed_process_holds_nothing(holder: subprocess.Popen, lock: Path) -> None:
    with claim(lock) as mine:
        assert not mine
    holder.kill()
    holder.wait()
    with claim(lock) as mine:
        assert mine


def test_work_goes_on_with_what_a_killed_process_held(
    holder: subprocess.Popen, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "POLL_SECONDS", 0)
    done, left = [], []

    def idle(busy: list[str]) -> None:
        left.append(list(busy))
        holder.kill()
        holder.wait()

    share(["one", "two"], lambda key: lock.with_stem(key), done.append, idle)
    assert (done, left) == (["two", "one"], [["one"]])


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "tasks").write_text("a file")
    with pytest.raises(EvaluationError, match=r"cannot write into .*tasks: .*--output-dir"):
        claim(tmp_path / "tasks" / "one.lock").__enter__()


def test_without_locks_everybody_does_everything(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(claims.fcntl, "flock", refuse)
    with claim(lock) as first, claim(lock) as second:
        assert first
        assert second
