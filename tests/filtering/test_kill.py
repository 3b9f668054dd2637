"""SIGKILL anywhere in a run, then the same command: the same bytes, and no work done twice."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.processes import BOUND_SECONDS

TOYS = Path(__file__).with_name("toys.py")
FUTURE = 4e9
PARTS = tuple({"text": [f"{part}{'x' * row}" for row in range(4)]} for part in range(4))

# Dies at the n-th file operation of the run: before a flush, before a rename, before a log line.
DYING = """
import os, signal, sys
from pathlib import Path

dies_at, seen = int(sys.argv[1]), 0

def counted(operation):
    def maybe(*args, **kwargs):
        global seen
        seen += 1
        if seen == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return operation(*args, **kwargs)
    return maybe

os.fsync, os.write, Path.replace = counted(os.fsync), counted(os.write), counted(Path.replace)
from datacomp.cli.main import main
sys.argv = ["datacomp", *sys.argv[2:]]
main()
"""


@pytest.fixture
def call(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    # Of files from the future no digest is remembered: how long Python takes to start changes
    # nothing in the number of file operations.
    for file in Path(pool.url).rglob("*.parquet"):
        os.utime(file, (FUTURE, FUTURE))
    script = tmp_path / "dying.py"
    script.write_text(DYING)

    def run(folder: Path, dies_at: int) -> int:
        folder.mkdir(exist_ok=True)
        command = ["filter", "run", "toy_longest", f"log={folder / 'computed'}", "--plugin", TOYS]
        command += ["--pool", pool.url, "-o", "mine.npy", "--store", "scores"]
        done = subprocess.run(
            [sys.executable, script, str(dies_at), *command],
            cwd=folder, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        return done.returncode

    return run


def results(folder: Path) -> dict[str, bytes]:
    files = [*folder.glob("scores/length/*/*.parquet"), folder / "mine.npy"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_run_that_is_killed_again_and_again_ends_as_if_it_never_was(call, tmp_path):
    assert call(tmp_path / "unbroken", 0) == 0
    killed, broken = 0, tmp_path / "broken"
    # Later deaths let more of the run happen; every run takes up what the ones before it left.
    for dies_at in (3, 5, 8):
        killed += call(broken, dies_at) != 0
    assert killed == 3, "the run was over before it could be killed"
    assert call(broken, 0) == 0
    assert results(broken) == results(tmp_path / "unbroken")
    lock = json.loads((broken / "mine.npy.lock.json").read_text())
    assert lock["sha256"] == json.loads(
        (tmp_path / "unbroken" / "mine.npy.lock.json").read_text()
    )["sha256"]  # fmt: skip


def test_what_was_stored_before_the_kill_is_not_computed_again(call, tmp_path):
    folder = tmp_path / "broken"
    stored: set[str] = set()
    for dies_at in (6, 9, 0):
        before = Counter((folder / "computed").read_text().split()) if stored else Counter()
        call(folder, dies_at)
        computed = Counter((folder / "computed").read_text().split()) - before
        assert not {name[0] for name in stored} & {caption[0] for caption in computed}
        stored = {file.name[3] for file in folder.glob("scores/length/*/*.parquet")}
    assert stored == set("0123")


INTERRUPTED = """
import signal
from datacomp.cli.main import main
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
"""


def test_an_interrupt_of_the_command_alone_ends_its_workers(make_pool, tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    words = ["filter", "run", "toy_longest", "trouble=hang", "--plugin", TOYS, "--workers", "2"]
    words += ["--pool", make_pool(*PARTS).url, "-o", "mine.npy", "--store", "scores"]
    with subprocess.Popen(
        [sys.executable, script, *words], cwd=tmp_path, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout.readline() == b"computing\n"
        run.send_signal(signal.SIGINT)
        # The end of the output: no worker is left that could write to it.
        run.communicate(timeout=BOUND_SECONDS)
    assert run.returncode == 130
    assert not (tmp_path / "mine.npy").exists()
