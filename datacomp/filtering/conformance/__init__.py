"""The filters' contract as checks that run: `datacomp filter check`, and pytest.

    import pytest
    from datacomp.filtering.conformance import checks

    @pytest.mark.parametrize("check", checks("my_filter", "least=0.3"), ids=str)
    def test_the_contract(check):
        check()

Each check is a function `check_<what>` whose first line of docstring is the rule. A filter that
cannot hold to one says so with the reason, `waives = {"part_split": "draws by position"}`, and the
check is skipped, visibly. Checks see a filter on small toy pools, on one device, at rest: they find
what is broken often, not everything.
"""

from datacomp.filtering.conformance.kit import BoundCheck, Broken, Check, Result
from datacomp.filtering.conformance.suite import CHECKS, checks, subject_of

__all__ = ["CHECKS", "BoundCheck", "Broken", "Check", "Result", "checks", "subject_of"]
