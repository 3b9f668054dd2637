"""The demo: the whole way on the tiny pool, from pool to board, by the library's own functions.

    outcome = run_demo(Path("demo"))

Every step finds what an earlier demo left and does not do it again.
"""

from datacomp.demo.results import Gap, MethodResult
from datacomp.demo.run import DemoOutcome, demo_settings, run_demo

__all__ = ["DemoOutcome", "Gap", "MethodResult", "demo_settings", "run_demo"]
