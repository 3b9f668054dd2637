"""What a check is, and how one ends: passed, failed with the remedy, or skipped with the reason."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal
from unittest import SkipTest

from datacomp.errors import DatacompError, FilterError
from datacomp.filtering.conformance.subject import Subject
from datacomp.filtering.work import told


class Broken(FilterError):
    """A filter does not hold to a rule: what was expected, what came, how to mend it."""

    def __init__(self, expected: str, came: str, mend: str) -> None:
        super().__init__(f"expected {expected}; came {came}. {mend}")
        self.expected, self.came, self.mend = expected, came, mend


@dataclass(frozen=True)
class Result:
    """How a check ended; `why` is the reason of a skip, the other three are of a failure."""

    check: str
    status: Literal["passed", "failed", "skipped"]
    why: str = ""
    expected: str = ""
    came: str = ""
    mend: str = ""

    def to_json(self) -> dict[str, str]:
        """Without what is empty."""
        return {key: value for key, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Check:
    """A rule of the contract that runs; made of a function `check_<name>` with its docstring."""

    function: Callable[[Subject], None]

    @property
    def name(self) -> str:
        """What follows `check_`."""
        return self.function.__name__.removeprefix("check_")

    @property
    def rule(self) -> str:
        """The rule, one sentence."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    def demand(self, subject: Subject) -> None:
        """Raise `Broken` if the filter does not hold to the rule, `SkipTest` if it does not apply.

        pytest counts a `SkipTest` as a skip.
        """
        if reason := subject.waived.get(self.name):
            raise SkipTest(f"waived by the filter: {reason}")
        try:
            self.function(subject)
        except (Broken, SkipTest):
            raise
        # A filter that exits would end the kit with its exit code, which may be 0.
        except (Exception, SystemExit) as error:
            ours = isinstance(error, DatacompError)
            mend = "Do what the message says." if ours else "Mend what raises this."
            raise Broken(f"no error: {self.rule}", told(error), mend) from error

    def run(self, subject: Subject) -> Result:
        """As `demand`, but the end is returned."""
        try:
            self.demand(subject)
        except Broken as broken:
            return Result(
                self.name, "failed", expected=broken.expected, came=broken.came, mend=broken.mend
            )
        except SkipTest as skip:
            return Result(self.name, "skipped", why=str(skip))
        return Result(self.name, "passed")


@dataclass(frozen=True)
class BoundCheck:
    """A check with the filter that it is for: what a test calls."""

    check: Check
    subject: Subject

    def __call__(self) -> None:
        """As `Check.demand`."""
        self.check.demand(self.subject)

    def __str__(self) -> str:
        """The name, for test ids."""
        return self.check.name


def listing(names: Any) -> str:
    """Names in one line."""
    return ", ".join(str(name) for name in names) or "none"
