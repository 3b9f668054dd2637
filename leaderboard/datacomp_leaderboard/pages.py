"""What each page shows: one frozen dataclass a page, whose fields are all that its template sees.

Numbers arrive computed, rows arrive sorted, an absent score is None. Which template belongs to
which page is said here too; how it is rendered stands in `render`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from datacomp_leaderboard.charting.chart import Figure
from datacomp_leaderboard.charts import Axis, Whisker
from datacomp_leaderboard.citing import Cite
from datacomp_leaderboard.data_portrait import DataPart, TrainingPart
from datacomp_leaderboard.entries import Spread
from datacomp_leaderboard.fingerprint import Fingerprint
from datacomp_leaderboard.standing import Standing
from datacomp_leaderboard.subset_overlap import Shared
from datacomp_leaderboard.trust import Trust


@dataclass(frozen=True)
class EmbedPage:
    """A chart alone, to stand in a frame on another site; `page` is where it comes from."""

    template: ClassVar[str] = "embed.html"

    title: str
    figure: Figure
    page: str


@dataclass(frozen=True)
class TaskLine:
    """One task of a submission; `x` values are on the page's task axis."""

    key: str
    name: str
    measures: str
    groups: tuple[str, ...]
    scored: bool
    metric: str
    value: float | None
    stderr: float | None
    chance: float | None
    n: int
    whisker: Whisker | None
    chance_x: float | None


@dataclass(frozen=True)
class SeedLine:
    """A submission of the same method with its training seed; `this` is the page's own."""

    id: str
    seed: int | None
    average: float | None
    this: bool


@dataclass(frozen=True)
class ProvenanceStep:
    """One link of the chain from pool to report; `facts` are (name, text), `identity` its hash."""

    name: str
    identity: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SubsetLine:
    """Another method, and what its subset shares with the page's own."""

    id: str
    method: str
    team: str
    shared: Shared


@dataclass(frozen=True)
class SubmissionPage:
    """One submission: its score, its siblings, where it came from, its data, and every task.

    `marks` are what was said of it later, `standing` is where its method stands, `score_axis` what
    `score_whisker` is drawn on. `subsets` are other methods whose subsets were compared with its
    own, most alike first. `outdated` says that it was evaluated with another version of the suite
    than the board's.
    """

    template: ClassVar[str] = "submission.html"

    title: str
    id: str
    team: str
    method: str
    description: str | None
    oracle: bool
    attempt: int
    scale: str
    track: str
    outdated: bool
    seed: int
    rank: int | None
    n_ranked: int
    average: float | None
    half_width: float | None
    chance: float | None
    row_average: Spread | None
    seeds: tuple[SeedLine, ...]
    groups: tuple[tuple[str, float | None, float | None], ...]
    tasks: tuple[TaskLine, ...]
    axis: Axis
    provenance: tuple[ProvenanceStep, ...]
    platform: tuple[tuple[str, str], ...]
    trust: Trust
    marks: tuple[str, ...]
    submitted_at: datetime
    validator: str
    report_url: str
    report_sha256: str
    lock_url: str | None
    profile_url: str | None
    standing: Standing | None
    row_id: str | None
    score_axis: Axis
    score_whisker: Whisker | None
    cite: Cite
    fingerprint: Fingerprint | None
    data: DataPart | None
    training: TrainingPart | None
    subsets: tuple[SubsetLine, ...]
    subsets_words: str
    overlap: Figure | None
    address: str
    query: str


@dataclass(frozen=True)
class WaitingPage:
    """A submission without numbers: what it waits for, or the codes for which it was refused.

    `notice` is what keeps it from going on, as a sentence, and a command for its team; `marks`
    are (kind, reason), `files` (role, bytes, sha256); `out` says that it was withdrawn or
    disqualified.
    """

    template: ClassVar[str] = "waiting.html"

    title: str
    id: str
    team: str
    method: str
    description: str | None
    scale: str
    track: str
    state: str
    marks: tuple[tuple[str, str | None], ...]
    notice: tuple[str, str] | None
    out: bool
    codes: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]
    files_until: datetime
    submitted_at: datetime


@dataclass(frozen=True)
class ErrorPage:
    """An error for people; `findings` are its reasons as sentences."""

    template: ClassVar[str] = "error.html"

    title: str
    status: int
    detail: str
    findings: tuple[str, ...]


class Page(Protocol):
    """Any frozen dataclass that names its template; features may keep theirs in own modules."""

    template: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def title(self) -> str:
        """What the page is called."""
