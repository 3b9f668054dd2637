"""The first process of a container, run as a file: starts the command, and ends with the worker.

    python first.py RULES COMMAND...

RULES is the file of the seccomp filter. Standard input comes from the worker: its end is the end of
all. Standard output becomes RESULT of the command's descriptors, standard error its log.
"""

import ctypes
import os
import sys
import threading
from pathlib import Path

RESULT = 3
_SET_DUMPABLE, _SET_SECCOMP, _BY_FILTER = 4, 22, 2
_KILLED = 137


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def main(rules: bytes, command: list[str]) -> None:
    """Never returns: the exit code is the command's, as a shell gives it."""
    # The command is of the same user: it must not reach into this process.
    _prctl(_SET_DUMPABLE, 0, None)
    _prctl(_SET_SECCOMP, _BY_FILTER, ctypes.byref(_Program(len(rules) // 8, rules)))
    os.dup2(1, RESULT)
    os.dup2(2, 1)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(command[0], command)
    os.close(RESULT)
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _end_with_the_worker() -> None:
    os.read(0, 1)
    os._exit(_KILLED)


def _prctl(what: int, first: int, second: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(what, first, second, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {what} failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes(), sys.argv[2:])
