"""The first program in a sandbox, run as a file: takes the limits on, then becomes the command.

    python enter.py RESULT_FD '{"nproc": 64, ...}' COMMAND...

Limits of processes count from inside the user namespace, so that they are set in here. One byte to
RESULT_FD says that the sandbox stands: what fails from then on is the command's own doing, and what
comes from then on its result.
"""

import json
import os
import resource
import sys

NICE = 5


def main(result_fd: int, limits: dict[str, int], command: list[str]) -> None:
    """Set the limits and replace this process."""
    for name, most in limits.items():
        which = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))
    os.nice(NICE)
    os.write(result_fd, b"1")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:])
