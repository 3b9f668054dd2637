"""Code that means harm, in the sandbox: what it cannot read or reach; and no sandbox at all."""

import io
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from datacomp.worker.sandbox import (
    Limits,
    SandboxError,
    Work,
    bubblewrap,
    kinds,
    missing,
    run,
    runc,
)


class EnoughError(Exception):
    """The test has seen what it looks for."""


# What it can read


def test_it_reads_no_file_but_those_that_it_is_given(in_sandbox, tmp_path):
    (tmp_path / "given").write_text("for it")
    (tmp_path / "token").write_text("dfc_secret")
    (tmp_path / "other-team.npy").write_text("theirs")
    paths = [
        *("/etc/shadow", "/etc/hostname", "/root/.ssh/id_ed25519", "/root/.bashrc", "/sys/kernel"),
        *(str(Path.home()), str(tmp_path / "token"), str(tmp_path / "other-team.npy")),
        *("/proc/1/root/etc/shadow", "/proc/kcore", "/dev/vda", "/dev/mem", "/run", "/var/lib"),
        *(f"/in/../{tmp_path}/token", "/in/given/../token"),
    ]
    code = f"""
import os
for path in {paths!r}:
    try:
        print(path, os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(9))
    except OSError:
        pass
print(open("/in/given").read())
"""
    ran = in_sandbox(code, {"/in/given": tmp_path / "given"})
    # Folders that hold the interpreter are there, with nothing else in them.
    seen = [line for line in ran.lines[:-1] if not line.startswith(("/root ", str(Path.home())))]
    assert seen == []
    assert "dfc_secret" not in ran.log
    assert ran.lines[-1] == "for it"


def test_it_sees_no_secret_of_the_environment_of_any_process(in_sandbox, monkeypatch):
    monkeypatch.setenv("DATACOMP_TOKEN", "dfc_secret")
    ran = in_sandbox("""
import glob, os
print(dict(os.environ))
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        print(path, open(path, "rb").read())
    except PermissionError:
        print(path, "hidden")
""")
    assert "/proc/1/environ" in ran.log
    assert "dfc_secret" not in ran.log


def test_it_sees_no_password_of_a_package_index(in_sandbox, monkeypatch, tmp_path):
    environment, packages = tmp_path / "environment", Path(sys.prefix)
    environment.mkdir(mode=0o755)
    (environment / "pip.conf").write_text("extra-index-url = https://me:dfc_secret@index.example")
    monkeypatch.setattr(sys, "prefix", str(environment))
    code = f"print(repr(open('{environment}/pip.conf').read()))"
    ran = in_sandbox(code, {str(packages): packages})
    assert ran.lines == ["''"]


def test_it_inherits_no_descriptor_but_those_that_it_needs(in_sandbox, tmp_path):
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        ran = in_sandbox("""
import os
print(sorted({os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
              for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}))
print(len(os.listdir("/proc/self/fd")))
""")
    # Nothing in, the log twice, the result, and the folder that is listed.
    assert ran.lines == ["['/dev/null', 'pipe']", "5"]


def test_it_sees_no_process_outside_and_no_other_users(in_sandbox):
    ran = in_sandbox(f"""
import glob, os
print(min(os.getuid(), os.getgid()) >= 65534, set(os.getgroups()) <= {{65534, os.getgid()}})
print(os.path.exists("/proc/{os.getpid()}/maps"))
print(len(glob.glob("/proc/[0-9]*")), open("/etc/passwd").read().count("\\n"))
for line in open("/proc/self/status"):
    if line.startswith(("CapEff", "CapBnd", "NoNewPrivs", "Seccomp:")):
        print(line.split()[1])
""")
    assert ran.lines[:3] == ["True True", "False", "2 1"]
    assert ran.lines[3:] == ["0000000000000000", "0000000000000000", "1", "2"]


@pytest.mark.skipif(os.getuid() != 0, reason="who is not root keeps its user outside")
def test_of_a_worker_that_is_root_it_is_another_user(in_sandbox, running):
    marker = f"user-{os.getpid()}"

    def look(_seconds):
        for pid in running(marker):
            with suppress(FileNotFoundError):
                if Path(f"/proc/{pid}").stat().st_uid >= 0x70000000:
                    raise EnoughError

    with pytest.raises(EnoughError):
        in_sandbox(f"'{marker}'; import time; time.sleep(600)", look=look)


@pytest.mark.skipif(os.getuid() != 0, reason="who is not root runs all of these tests that way")
def test_a_worker_that_is_not_root_needs_no_privileges(monkeypatch):
    become = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups", "--"]
    monkeypatch.setattr(os, "getuid", lambda: 65533)
    shell = ["/usr/bin/sh", "-c", "id -u; touch /usr/mine /tmp/mine; ls /"]
    words = [*become, *bubblewrap.command({"/usr": "/usr"}, Limits(), None, {}), *shell]
    ended = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
    assert ended.stdout.split()[0] == "65534"
    assert "cannot touch '/usr/mine'" in ended.stderr
    assert "root" not in ended.stdout.split()


# What it can reach


def test_it_reaches_no_network(in_sandbox):
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        ran = in_sandbox(f"""
import socket
for family, kind in ((1, 1), (2, 1), (2, 2), (10, 1), (16, 3), (17, 3), (40, 1), (38, 5)):
    try:
        socket.socket(family, kind)
        print("opened", family)
    except OSError as error:
        print(error.errno)
try:
    socket.create_connection(("127.0.0.1", {listening.getsockname()[1]}), 1)
    print("reached")
except OSError as error:
    print(error.errno)
""")
    assert ran.lines == ["97"] * 9


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("ptrace", "16, 1, 0, 0"),
        ("process_vm_readv", "1, 0, 0, 0, 0, 0"),
        ("mount", "b'none', b'/tmp', b'tmpfs', 0, 0"),
        ("unshare", "0x10000000"),
        ("memfd_create", "b'x', 0"),
        ("socketpair", "1, 1, 0, 0"),
        ("shmget", "0, 1 << 20, 0o1600"),
        ("keyctl", "0, 0"),
        ("bpf", "0, 0, 0"),
        ("perf_event_open", "0, 0, 0, 0, 0"),
        ("io_uring_setup", "1, 0"),
        ("userfaultfd", "0"),
        ("semget", "0, 32000, 0o1600"),
        ("io_setup", "64, 0"),
        ("vmsplice", "1, 0, 0, 0"),
    ],
)
def test_the_kernel_refuses(in_sandbox, call, arguments):
    from datacomp.worker.sandbox.seccomp import _ARCHITECTURES, _REFUSED

    number = _REFUSED[call][list(_ARCHITECTURES).index(os.uname().machine)]
    ran = in_sandbox(f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({number}, {arguments}), ctypes.get_errno())
""")
    assert ran.lines == ["-1 1"]


def test_namespaces_cannot_be_made_by_clone_either(in_sandbox):
    ran = in_sandbox("""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
clone, clone3 = {"x86_64": (56, 435), "aarch64": (220, 435)}[__import__("os").uname().machine]
print(libc.syscall(clone, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno())
print(libc.syscall(clone3, 0, 0), ctypes.get_errno())
import threading
thread = threading.Thread(target=print, args=("threads work",))
thread.start()
thread.join()
""")
    assert ran.lines == ["-1 1", "-1 38", "threads work"]


def test_it_ends_no_process_but_its_own(in_sandbox):
    ran = in_sandbox(f"""
import os, signal
for pid in (1, {os.getpid()}, {os.getppid()}):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        print(type(error).__name__)
print("still here")
""")
    assert ran.lines == ["ProcessLookupError", "ProcessLookupError", "still here"]


def test_it_writes_to_its_scratch_folder_alone(in_sandbox, tmp_path):
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "rows").write_text("rows")
    ran = in_sandbox(
        """
import os, sys
places = ["/", "/usr", "/usr/bin", "/etc", "/proc", "/proc/sys/kernel", "/dev", "/in", "/in/pool",
          "/home", "/var", sys.prefix, sys.base_prefix, os.__file__.rpartition("/")[0], "/tmp"]
for place in places:
    try:
        open(f"{place}/mine", "w").close()
        print("wrote", place)
    except OSError:
        pass
for path in ("/in/pool/rows", "/in/enter.py", "/etc/passwd", "/proc/sys/kernel/core_pattern",
             "/proc/sysrq-trigger", "/proc/self/oom_score_adj", "/proc/1/mem", sys.executable):
    for change in (lambda: open(path, "r+"), lambda: os.unlink(path), lambda: os.chmod(path, 511)):
        try:
            change()
            print("changed", path)
        except OSError:
            pass
""",
        {"/in/pool": tmp_path / "pool"},
    )
    assert ran.lines == ["wrote /tmp"]
    assert (tmp_path / "pool" / "rows").read_text() == "rows"
    assert not Path("/tmp/mine").exists()


# What a machine may lack


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """`machine(script)`: a machine whose bwrap is that script, or that has none."""

    def make(script):
        if script is not None:
            (tmp_path / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "bwrap").chmod(0o755)
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            (tmp_path / "setpriv").symlink_to(setpriv)
        monkeypatch.setenv("PATH", str(tmp_path))
        forget()

    def forget():
        bubblewrap.missing.cache_clear()
        runc.missing.cache_clear()

    yield make
    forget()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "not installed. Install it with: apt-get install bubblewrap"),
        ("echo bubblewrap 0.4.1", "'bubblewrap 0.4.1', expected 0.8 or newer"),
        (
            '[ "$1" = --version ] && echo bubblewrap 0.11.0 || echo bwrap: No permissions',
            "cannot make a sandbox here: bwrap: No permissions",
        ),
    ],
)
def test_a_machine_without_a_sandbox_says_what_it_lacks(machine, tmp_path, script, said):
    machine(script)
    assert said in missing()
    assert "runc is not installed" in missing()
    with pytest.raises(SandboxError, match="there is no sandbox on this machine"):
        run(Work(["/usr/bin/true"]), log=io.BytesIO(), output=tmp_path / "output")


def test_where_bubblewrap_is_not_it_is_runc(monkeypatch):
    assert kinds.chosen() is bubblewrap
    monkeypatch.setattr(bubblewrap, "missing", lambda: "not installed")
    assert missing() is None
    assert kinds.chosen() is runc


def test_what_the_machine_lacks_is_not_the_commands_fault(in_sandbox, tmp_path):
    with pytest.raises(SandboxError, match="could not be set up"):
        in_sandbox("print('here')", {"/in/pool": tmp_path / "not there"})
