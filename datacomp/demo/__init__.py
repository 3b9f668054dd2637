"""The demo: the whole way on the tiny pool, from pool to board, by the library's own functions.

    outcome = run_demo(Path("demo"))

Every step finds what an earlier demo left and does not do it again.
"""

from datacomp.demo.methods import ALL, BASELINES, Method, find_methods
from datacomp.demo.results import Gap, MethodResult, gaps_to
from datacomp.demo.run import DemoOutcome, demo_settings, run_demo

__all__ = [
    "ALL",
    "BASELINES",
    "DemoOutcome",
    "Gap",
    "Method",
    "MethodResult",
    "demo_settings",
    "find_methods",
    "gaps_to",
    "run_demo",
]
