"""Why a job failed, if it is the submission's doing: with a code that never changes its meaning."""

from datacomp.errors import DatacompError


class UserFault(DatacompError):
    """What was handed in cannot be used; trying again would end the same.

    The message tells nothing that the submission itself said: that is in the log, for its team.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
