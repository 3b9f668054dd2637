"""Foreign code under guard: no network, nothing to read but what it is given, bounded in all.

    outcome = run([sys.executable, "work.py"], binds={"/in/work.py": path}, limits=Limits(), ...)

Made of bubblewrap's namespaces, a seccomp filter, rlimits and a watcher of memory and time. What
leaves is a log and one stream of bytes, each of bounded size; whoever reads them trusts neither.
"""

from datacomp.worker.sandbox.bubblewrap import missing
from datacomp.worker.sandbox.outcome import MIB, Limits, Outcome, SandboxError
from datacomp.worker.sandbox.run import run

__all__ = ["MIB", "Limits", "Outcome", "SandboxError", "missing", "run"]
