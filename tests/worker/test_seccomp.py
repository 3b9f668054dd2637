"""The filter of system calls, run here instead of in the kernel: for machines that this one is not.

The sandbox's own tests show that the kernel takes it.
"""

import platform
import struct

import pytest

from datacomp.worker.sandbox.seccomp import program, supported

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# read, clone, socket, ptrace, clone3
CALLS = {"x86_64": (0, 56, 41, 101, 435), "aarch64": (63, 220, 198, 117, 435)}
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
SIGCHLD, NEW_USER, THREAD = 17, 0x10000000, 0x3D0F00


def verdict(number, argument=0, *, arch):
    """What the filter answers: classic BPF has a register, loads, forward jumps, returns."""
    data = struct.pack("=IIQ6Q", number, arch, 0, argument, 0, 0, 0, 0, 0)
    lines = list(struct.iter_unpack("=HBBI", program()))
    register, at = 0, 0
    while True:
        code, if_so, if_not, value = lines[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            (register,) = struct.unpack_from("=I", data, value)
            continue
        holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}
        at += if_so if holds[code] else if_not


@pytest.fixture(params=ARCH)
def machine(request, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    return request.param


def test_what_a_program_needs_is_allowed(machine):
    read, clone, _, _, _ = CALLS[machine]
    assert verdict(read, arch=ARCH[machine]) == ALLOW
    assert verdict(clone, SIGCHLD, arch=ARCH[machine]) == ALLOW
    assert verdict(clone, THREAD, arch=ARCH[machine]) == ALLOW


def test_the_rest_is_refused(machine):
    _, clone, socket, ptrace, clone3 = CALLS[machine]
    arch = ARCH[machine]
    assert verdict(ptrace, arch=arch) == ERRNO | EPERM
    assert verdict(clone, NEW_USER | SIGCHLD, arch=arch) == ERRNO | EPERM
    assert verdict(clone3, arch=arch) == ERRNO | ENOSYS
    assert verdict(socket, 1, arch=arch) == ERRNO | EAFNOSUPPORT


def test_another_architectures_calls_are_not_mistaken(machine):
    i386 = 0x40000003
    assert verdict(0, arch=i386) == KILL
    if machine == "x86_64":
        assert verdict(0x40000000, arch=ARCH[machine]) == ERRNO | ENOSYS


def test_a_machine_whose_calls_are_unknown_has_no_sandbox(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not supported()
