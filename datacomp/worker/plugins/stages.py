"""What is done with a plugin inside the sandbox, by the exit code that says where it ended."""

from enum import IntEnum


class Stage(IntEnum):
    """Where a plugin failed; the values are exit codes that Python and shells leave free."""

    INSTALL = 70
    NEEDS = 71
    REGISTERED = 72
    SELECTION = 73
    CHECK = 74
    RUN = 75


MESSAGES = {
    Stage.INSTALL: "the plugin cannot be installed: pip refused it, or its build failed",
    Stage.NEEDS: "the plugin needs packages that workers do not have",
    Stage.REGISTERED: (
        "the plugin registers no filter: expected an entry point in the group datacomp.filters"
    ),
    Stage.SELECTION: (
        "the selection file cannot be used, or names no filter of the plugin: try it with "
        "datacomp filter explain selection.yaml"
    ),
    Stage.CHECK: "the filter fails checks of the conformance kit: try datacomp filter check",
    Stage.RUN: "the filter failed on the pool",
}
"""Of each stage, why a plugin was refused."""
