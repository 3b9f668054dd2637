"""Code that means harm, in the sandbox: what it cannot use up, leave behind, or give out."""

import io
import os
import select
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from datacomp.worker.sandbox.streams import Log, plain
from support.processes import BOUND_SECONDS

MIB = 2**20


class EnoughError(Exception):
    """The test has seen what it looks for."""


# What it can use up


def test_a_fork_bomb_stays_small_and_nothing_of_it_is_left(in_sandbox, running):
    marker, seen = f"bomb-{os.getpid()}", []

    def look(_seconds):
        seen.append(len(running(marker)))
        if seen.count(max(seen)) > 5 and max(seen) > 15:
            raise EnoughError

    bomb = f"'{marker}'\nimport os\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    with pytest.raises(EnoughError):
        in_sandbox(bomb, look=look, processes=20)
    # bwrap's own processes repeat the command line.
    assert max(seen) <= 25
    assert running(marker) == []


def test_memory_has_an_end(in_sandbox):
    code = """
held = []
while True:
    try: held.append(bytearray(1 << 20))
    except MemoryError: pass
"""
    ran = in_sandbox(code, memory_bytes=64 * MIB)
    assert ran.outcome.killed_by == "memory"
    assert ran.outcome.peak_memory_bytes > 64 * MIB


def test_memory_of_many_processes_counts_together(in_sandbox):
    code = """
import os, time
for child in range(8):
    if not os.fork():
        held = bytearray(os.urandom(1 << 20)) * 16
        time.sleep(60)
time.sleep(60)
"""
    assert in_sandbox(code, memory_bytes=64 * MIB).outcome.killed_by == "memory"


def test_memory_that_processes_share_counts_once(in_sandbox):
    code = """
import os, time
held = bytearray(os.urandom(1 << 20)) * 24
children = [os.fork() for child in range(1)]
if 0 in children:
    children = [os.fork() for child in range(1)]
time.sleep(0.3)
"""
    ran = in_sandbox(code, memory_bytes=64 * MIB)
    assert ran.outcome.killed_by is None, ran.outcome


def test_there_is_no_memory_that_belongs_to_no_process(in_sandbox):
    """Pages of a shared mapping live on when nobody maps them: nobody's memory would grow."""
    ran = in_sandbox("""
import mmap
def tried(*words, **options):
    try:
        mmap.mmap(*words, **options).close()
        print("mapped")
    except OSError as error:
        print(error.errno)
tried(-1, 1 << 20)
tried(-1, 1 << 20, flags=mmap.MAP_ANONYMOUS | mmap.MAP_PRIVATE)
with open("/dev/zero", "r+b", buffering=0) as zero:
    tried(zero.fileno(), 1 << 20)
with open("/tmp/file", "w+b") as file:
    file.truncate(1 << 20)
    tried(file.fileno(), 1 << 20)
""")
    assert ran.lines == ["1", "mapped", "19", "mapped"]


def test_where_memory_runs_short_it_is_the_first_to_go_and_stays_it(in_sandbox):
    ran = in_sandbox("""
try:
    open("/proc/self/oom_score_adj", "w").write("0")
except OSError as error:
    print(error.errno)
print(open("/proc/self/oom_score_adj").read())
""")
    assert ran.lines == ["30", "1000", ""]


def test_the_scratch_folder_and_shared_memory_have_an_end(in_sandbox):
    ran = in_sandbox("""
for place in ("/tmp", "/dev/shm"):
    try:
        for number in range(200):
            open(f"{place}/{number}", "wb").write(bytes(1 << 20))
    except OSError as error:
        print(place, number, error.errno)
""")
    assert ran.lines == ["/tmp 16 28", "/dev/shm 64 28"]


def test_a_file_that_claims_to_be_huge_is_refused(in_sandbox):
    ran = in_sandbox("""
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    os.truncate(os.open("/tmp/sparse", os.O_CREAT | os.O_RDWR), 1 << 50)
except OSError as error:
    print(error.errno)
""")
    assert ran.lines == ["27"]


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_too_many_files_end_it(in_sandbox, place):
    code = f"import time\nfor n in range(500): open(f'{place}/{{n}}', 'w')\ntime.sleep(60)"
    assert in_sandbox(code, scratch_files=300).outcome.killed_by == "files"


def test_what_hangs_and_ignores_signals_is_killed(in_sandbox):
    code = """
import signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True: time.sleep(60)
"""
    ran = in_sandbox(code, wall_seconds=0.3)
    assert ran.outcome.killed_by == "time"
    assert ran.outcome.exit == -9


# What it can leave behind, and give out


def test_no_daemon_outlives_it(in_sandbox, running):
    marker = f"daemon-{os.getpid()}"
    code = f"""
import os, sys
if not os.fork():
    os.setsid()
    if not os.fork():
        os.close(1), os.close(2)
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c",
                 "import time; time.sleep(600)", "{marker}"])
else:
    print("ended")
"""
    ran = in_sandbox(code)
    assert ran.lines == ["ended"]
    assert running(marker) == []


def test_an_error_of_the_caller_ends_it(in_sandbox, running):
    marker = f"cancelled-{os.getpid()}"

    def look(_seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_sandbox(f"'{marker}'; import time; time.sleep(600)", look=look)
    assert running(marker) == []


def test_it_does_not_outlive_a_worker_that_is_killed(tmp_path, running, sandbox):
    marker = f"orphan-{os.getpid()}"
    worker = f"""
import io, sys
from pathlib import Path
import {sandbox.__name__} as sandbox
from datacomp.worker.sandbox import Work, run
code = "import time; time.sleep(600)"
run(Work([sys.executable, "-I", "-S", "-c", code, "{marker}"]), log=io.BytesIO(),
    output=Path("{tmp_path}/output"), look=lambda seconds: print(flush=True), sandbox=sandbox)
"""
    process = subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE)
    try:
        while not any("sleep" in line for line in _last_words(marker, running)):
            assert process.stdout.readline(), "the worker ended"
        orphans = [os.pidfd_open(pid) for pid in running(marker)]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    for orphan in orphans:
        assert select.select([orphan], [], [], BOUND_SECONDS)[0], "it lives on"
        os.close(orphan)


def _last_words(marker, running):
    """The command lines of the process that became the command itself."""
    words = []
    for pid in running(marker):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if line[0] == sys.executable and "/in/enter.py" not in line and "-I" in line:
            words.append(" ".join(line))
    return words


def test_the_log_keeps_the_beginning_and_the_end(in_sandbox):
    ran = in_sandbox("print('first'); print('x' * 99 * 1024); print('last')", log_bytes=200)
    assert ran.log.startswith("first\nxxx")
    assert ran.log.endswith("xxx\nlast\n")
    assert "bytes are left out here" in ran.log
    assert len(ran.log) < 300


def test_the_log_is_no_longer_than_it_may_be_whatever_is_in_it(in_sandbox):
    ran = in_sandbox(
        "import os\nfor _ in range(99): os.write(1, bytes([255]) * 999)", log_bytes=200
    )
    assert len(ran.log.encode()) < 300


def test_a_log_that_comes_in_crumbs_takes_no_more_memory():
    log = Log(io.BytesIO(), 2**14)
    tracemalloc.start()
    for number in range(2**14):
        log.keep(number.to_bytes(2, "little"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**14


def test_the_log_holds_nothing_that_a_terminal_obeys(in_sandbox):
    code = r"""
import os
os.write(1, b"\x1b]0;owned\x07\x1b[2J \xc2\x9b2J \xe2\x80\xaeabc \xff \xc3\xa4\r\n")
"""
    assert in_sandbox(code).log == "?]0;owned??[2J ?2J ?abc ? ä\n"
    assert plain("a\tb\n") == "a\tb\n"


def test_the_result_is_bytes_up_to_a_limit(in_sandbox):
    give = "import os; give = int(os.environ['DATACOMP_RESULT_FD'])\n"
    assert in_sandbox(give + "os.write(give, b'a result')").output == b"a result"
    ran = in_sandbox(give + "while True: os.write(give, bytes(1 << 16))", output_bytes=100_000)
    assert ran.outcome.killed_by == "output"
    assert ran.output == bytes(100_000)


def test_it_says_how_the_command_ended(in_sandbox):
    assert in_sandbox("raise SystemExit(7)").outcome.exit == 7
    assert in_sandbox("import os; os.abort()").outcome.exit == -6
