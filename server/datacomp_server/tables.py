"""Every table: importing this completes the metadata, which keys across features need."""

from datacomp_server.artifacts import models as artifacts
from datacomp_server.audit import models as audit
from datacomp_server.boards import models as boards
from datacomp_server.budgets import models as budgets
from datacomp_server.identity import models as identity
from datacomp_server.jobs import models as jobs
from datacomp_server.submissions import models as submissions
from datacomp_server.verification import models as verification

__all__ = [
    "artifacts",
    "audit",
    "boards",
    "budgets",
    "identity",
    "jobs",
    "submissions",
    "verification",
]
