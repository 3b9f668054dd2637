"""Foreign code under guard: no network, nothing to read but what it is given, bounded in all.

    outcome = run(Work([sys.executable, "/in/work.py"], binds={"/in/work.py": path}), ...)

Made of namespaces by bubblewrap, or by runc where that is not installed, a seccomp filter, rlimits
and a watcher of memory and time. What leaves is a log and one stream of bytes, each of bounded
size; whoever reads them trusts neither.
"""

from datacomp.worker.sandbox.kinds import missing
from datacomp.worker.sandbox.outcome import MIB, Limits, Outcome, SandboxError, Work
from datacomp.worker.sandbox.run import run

__all__ = ["MIB", "Limits", "Outcome", "SandboxError", "Work", "missing", "run"]
