"""How to hand in, as a page: commands, files, and what every code of a refusal means; pure."""

from dataclasses import dataclass
from typing import ClassVar

from datacomp.submission.codes import GROUPS, CodeGroup

TOC = (
    ("three", "Three commands"),
    ("ways", "Other ways to hand in"),
    ("files", "The files"),
    ("after", "What happens then"),
    ("notices", "When it does not go on"),
    ("codes", "Why something is refused"),
)
_WAYS = (
    ("datacomp submit REPORT --method NAME", "a run of yours: its report, weights and subset"),
    (
        "datacomp submit --train --subset mine.npy --scale tiny --method NAME",
        "a subset: a worker trains on it, at your team's cost",
    ),
    (
        "datacomp submit --plugin my.whl --selection selection.yaml --scale tiny --method NAME",
        "a filter: a worker runs it in a sandbox, then trains on what it chose",
    ),
    (
        "datacomp submit REPORT --byod mine.parquet --method NAME",
        "own data (track byod): addresses of pictures, and captions",
    ),
)
_FILES = (
    ("report", "JSON, datacomp-report/1", "what datacomp evaluate writes: every task with its n"),
    ("profile", "JSON, datacomp-profile/1", "what the page shows of data and run: made for you"),
    ("subset", ".npy", "a sorted array of dtype u8,u8: the uids, as often as they are drawn"),
    ("checkpoint", ".safetensors", "the run's weights, so that a worker can evaluate them"),
    ("byod", "Parquet", "exactly the columns url and caption, both strings"),
    ("plugin", "wheel or sdist", "an entry point in datacomp.filters; pure Python"),
    ("selection", "YAML", "what the plugin's filter is asked for"),
)
_STATES = (
    ("uploading", "its files are coming; what is here already is not sent again"),
    ("checking", "all files are here; the service checks them, nothing in them runs"),
    ("accepted", "it stands: on the board if it has numbers, else its training is planned"),
    ("refused", "with every reason; another one with the same report may follow"),
    ("unchecked", "the check itself failed, which is nobody's fault: ask for another"),
    ("expired", "its files had not come in time"),
)
_NOTICES = (
    ("check_failed", "the service could not check its files; you have the submission back"),
    ("check_cancelled", "somebody cancelled the check; another one costs nothing more"),
    ("budget_spent", "its training costs more than your team has left on the board"),
    ("not_trained", "no training is planned, or the last one failed or was cancelled"),
)


@dataclass(frozen=True)
class SubmitPage:
    """How to hand in. `ways` are (command, meaning), `files` (role, form, meaning)."""

    template: ClassVar[str] = "docs_submit.html"

    title: str
    toc: tuple[tuple[str, str], ...]
    ways: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str, str], ...]
    states: tuple[tuple[str, str], ...]
    notices: tuple[tuple[str, str], ...]
    groups: tuple[CodeGroup, ...]


def submit_page() -> SubmitPage:
    """The page."""
    return SubmitPage("How to submit", TOC, _WAYS, _FILES, _STATES, _NOTICES, GROUPS)
