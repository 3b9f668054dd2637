"""Forks processes from one that has imported torch, so that a start costs next to nothing.

Run by the fixture `start_python`, not by pytest. Reads a JSON object a line and answers with one:
{"words", "environ", "log"} starts what `python *words` would, in a session of its own, with both
outputs in the file `log`, and tells its {"pid"}; {"pid"} waits for it and tells its {"code"}.
"""

import json
import os
import runpy
import sys

import open_clip  # noqa: F401
import safetensors.torch  # noqa: F401

import datacomp.training.step  # noqa: F401


def become(words: list[str], environ: dict[str, str], log: str) -> None:
    """Do in this process what `python *words` does."""
    os.setsid()
    os.environ.update(environ)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, os.path.dirname(words[0]))
        runpy.run_path(sys.argv[0], run_name="__main__")


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "words" in order:
            pid = os.fork()
            if pid == 0:
                return become(**order)
            answer = {"pid": pid}
        else:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(order["pid"], 0)[1])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
