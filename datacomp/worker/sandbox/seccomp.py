"""The system calls that code in the sandbox may not make, as a filter that the kernel runs.

What remains is what a Python program needs. Refused are: other processes' memory, mounts and
namespaces, the kernel's own interfaces, and what holds memory that belongs to no process, so that
the watcher would not see it; sockets of every kind among that.
"""

import errno
import platform
import struct
from dataclasses import dataclass

# linux/audit.h and asm/unistd.h
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NEWER = 463
"""Calls from here on answer as on an older kernel; x86_64's second set of numbers is above, too."""
_REFUSED = {
    # name: (x86_64, aarch64); None where there is no such call
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "semget": (64, 190),
    "io_setup": (206, 0),
    "vmsplice": (278, 75),
    "quotactl_fd": (443, 443),
    "modify_ldt": (154, None),
    "socketpair": (53, 199),
}
_CLONE3 = (435, 435)
_CLONE = (56, 220)
_SOCKET = (41, 198)
_MMAP = (9, 222)
_SHARED, _ANONYMOUS = 0x01, 0x20
_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""

# linux/bpf_common.h, linux/seccomp.h; the kernel gives nr at 0, arch at 4, arguments from 16 on
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _FIRST_ARGUMENT, _FOURTH_ARGUMENT = 0, 4, 16, 40
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def supported() -> bool:
    """Whether the filter knows this machine's system calls."""
    return platform.machine() in _ARCHITECTURES


def program() -> bytes:
    """The filter, as `bwrap --seccomp` reads it."""
    machine = platform.machine()
    which = list(_ARCHITECTURES).index(machine)
    refused = [numbers[which] for numbers in _REFUSED.values()]
    lines = [
        _Line(_LOAD, _ARCH),
        _Line(_EQUAL, _ARCHITECTURES[machine], if_so=1),
        _Line(_RETURN, _KILL),
        _Line(_LOAD, _NR),
        _Line(_AT_LEAST, _NEWER, if_not=1),
        _refuse(errno.ENOSYS),
    ]
    # glibc then makes threads by clone, whose flags can be looked at.
    lines += [_Line(_EQUAL, _CLONE3[which], if_not=1), _refuse(errno.ENOSYS)]
    lines += [_Line(_EQUAL, _SOCKET[which], if_not=1), _refuse(errno.EAFNOSUPPORT)]
    for number in refused:
        if number is not None:
            lines += [_Line(_EQUAL, number, if_not=1), _refuse(errno.EPERM)]
    lines += [
        # Pages that are shared without a file stay when nobody maps them: the watcher sees mapped.
        _Line(_EQUAL, _MMAP[which], if_not=5),
        _Line(_LOAD, _FOURTH_ARGUMENT),
        _Line(_ANY_BIT, _ANONYMOUS, if_not=2),
        _Line(_ANY_BIT, _SHARED, if_not=1),
        _refuse(errno.EPERM),
        _Line(_RETURN, _ALLOW),
        _Line(_EQUAL, _CLONE[which], if_not=3),
        _Line(_LOAD, _FIRST_ARGUMENT),
        _Line(_ANY_BIT, _NAMESPACES, if_not=1),
        _refuse(errno.EPERM),
        _Line(_RETURN, _ALLOW),
    ]
    return b"".join(line.packed() for line in lines)


@dataclass(frozen=True)
class _Line:
    """One instruction: skips `if_so` lines if its test holds, `if_not` lines if it does not."""

    code: int
    value: int
    if_so: int = 0
    if_not: int = 0

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_so, self.if_not, self.value)


def _refuse(error: int) -> _Line:
    return _Line(_RETURN, _ERRNO | error)
