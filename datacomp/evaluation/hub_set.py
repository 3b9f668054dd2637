"""One evaluation set on the hub: what it must have, what is missing, and how that is fetched."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from datacomp.errors import DatacompError, EvaluationError, PoolError
from datacomp.evaluation.convert import BY_HAND, CONVERTERS, PARQUET_BRANCH, split_files
from datacomp.files import write_json
from datacomp.pool.download.hub_files import HubFile, difference, fetch_file, list_files
from datacomp.pool.download.threads import in_threads
from datacomp.reports import TaskSpec

TEXTS = ("classnames.txt", "zeroshot_classification_templates.txt", "test/nshards.txt")
OPTIONAL = "dataset_type.txt"
SOURCES, STAGING = "sources", ".staging"
FORMAT = 1
_TAR = re.compile(r"test/(\d+)\.tar")

Fetched = Callable[[int, str], None]


@dataclass(frozen=True)
class Source:
    """Where a set comes from: repository, commit, and the files that it takes from there."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]


@dataclass(frozen=True)
class SetReport:
    """How one set came out: its files, those fetched now, bytes in all; `error` if it did not."""

    dataset: str
    repo: str
    commit: str | None = None
    n_files: int = 0
    n_fetched: int = 0
    size: int = 0
    error: str | None = None


def plan_set(spec: TaskSpec, data_dir: Path) -> "HubSet":
    """Find out what is missing of a task's set; what goes wrong stands in `error`."""
    found = HubSet(spec, data_dir)
    try:
        found.pin()
    except DatacompError as error:
        found.error = str(error)
    return found


class HubSet:
    """One set: what it must have, what is missing, and how that is fetched."""

    def __init__(self, spec: TaskSpec, data_dir: Path) -> None:
        self.spec, self.folder = spec, data_dir / spec.dataset
        self.staging = data_dir / STAGING / spec.dataset
        self.record = data_dir / SOURCES / f"{spec.dataset}.json"
        self.source: Source | None = None
        self.error: str | None = None
        self.files: tuple[HubFile, ...] = ()
        self.missing: tuple[HubFile, ...] = ()

    @property
    def converts(self) -> bool:
        """Whether the hub has the set in another layout."""
        return self.spec.kind in CONVERTERS

    @property
    def space(self) -> int:
        """Bytes that are still to be written, at most."""
        return sum(file.size for file in self.missing) * (2 if self.converts else 1)

    def fetch(self, fetched_bytes: Fetched) -> SetReport:
        """Fetch what is missing; a failure is in the report."""
        fetched = 0
        if self.error is None and self.source is not None:
            try:
                fetched = self._fetch(self.source, fetched_bytes)
            except DatacompError as error:
                self.error = str(error)
        return SetReport(
            self.spec.dataset,
            self.spec.source,
            self.source.commit if self.source else None,
            len(self.files),
            fetched,
            sum(file.size for file in self.files),
            self.error,
        )

    def pin(self) -> None:
        """Read what the first download met, or ask the hub and write that down."""
        self.source = _read_source(self.record, self.spec.source)
        if self.source is None:
            if self.converts and self.folder.exists():
                return  # put there by hand
            self.source = self._ask()
            write_json(self.record, {"format": FORMAT, **asdict(self.source)})
        self.files = self.source.files
        if not self.converts:
            self.missing = tuple(f for f in self.files if not _has(self.folder / f.path, f))
        elif not self.folder.exists():
            self.missing = self.files

    def _ask(self) -> Source:
        """What the hub has now; `DatacompError` if it is not the set."""
        repo = self.spec.source
        if self.converts:
            try:
                commit, listed = list_files(repo, PARQUET_BRANCH)
            except PoolError as error:
                raise EvaluationError(f"{error} {BY_HAND}") from error
            return Source(repo, commit, split_files(repo, listed))
        commit, listed = list_files(repo, None)
        files = _layout_files(repo, commit, listed)
        _refuse_others(self.folder, files)
        return Source(repo, commit, files)

    def _fetch(self, source: Source, fetched_bytes: Fetched) -> int:
        shutil.rmtree(self.staging, ignore_errors=True)  # what a stop left, not verified
        if not self.missing:
            return 0
        for file, path in in_threads(
            lambda file: fetch_file(source.repo, source.commit, file, self.staging), self.missing
        ):
            if not self.converts:
                _publish(path, self.folder / file.path)
            fetched_bytes(file.size, self.spec.key)
        try:
            self._complete()
        except EvaluationError:
            self.record.unlink()  # the next start asks for the commit of its day
            raise
        shutil.rmtree(self.staging)
        return len(self.missing)

    def _complete(self) -> None:
        """Make the set of what was fetched; `EvaluationError` if it is not one."""
        if not self.converts:
            _demand_all_tars(self.folder, self.files)
            return
        paths = [self.staging / file.path for file in self.files]
        made = CONVERTERS[self.spec.kind](paths, self.spec, self.staging / "converted")
        for path in made.rglob("*.*"):
            _flush(path)
        made.rename(self.folder)


def _layout_files(repo: str, commit: str, listed: tuple[HubFile, ...]) -> tuple[HubFile, ...]:
    """Those of a repository's files that are the set's; `EvaluationError` if some are not there."""
    files = [f for f in listed if f.path in (*TEXTS, OPTIONAL) or _TAR.fullmatch(f.path)]
    paths = {file.path for file in files}
    numbers = sorted(int(found[1]) for path in paths if (found := _TAR.fullmatch(path)))
    lacking = [name for name in TEXTS if name not in paths]
    lacking += [f"test/{i}.tar" for i in range(max(len(numbers), 1)) if i not in numbers]
    if lacking:
        raise EvaluationError(
            f"{repo} at {commit[:12]} is not in the layout of evaluation sets: it has no "
            f"{', '.join(lacking[:5])}"
        )
    return tuple(files)


def _refuse_others(folder: Path, files: tuple[HubFile, ...]) -> None:
    """Files that are whole and not the hub's are somebody's; shorter ones were cut off."""
    for file in files:
        path = folder / file.path
        if path.exists() and path.stat().st_size >= file.size and (wrong := difference(path, file)):
            raise EvaluationError(
                f"{path} is not the hub's: {wrong}. Remove it, and the same command fetches the "
                "hub's; or leave the set as it is"
            )


def _demand_all_tars(folder: Path, files: tuple[HubFile, ...]) -> None:
    n = sum(bool(_TAR.fullmatch(file.path)) for file in files)
    told = (folder / "test" / "nshards.txt").read_text().strip()
    if told != str(n):
        raise EvaluationError(f"{folder} has {n} tars, its nshards.txt says {told!r}")


def _has(path: Path, file: HubFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size


def _publish(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _flush(path)
    path.replace(target)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _read_source(path: Path, repo: str) -> Source | None:
    try:
        raw = json.loads(path.read_bytes())
        if raw["format"] != FORMAT or raw["repo"] != repo:
            raise ValueError(f"format {raw['format']!r} of {raw['repo']!r}")
        files = tuple(HubFile(**file) for file in raw["files"])
        return Source(repo, raw["commit"], files)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"{path} is no record of {repo}: {type(error).__name__}: {error}. Remove it: what was "
            "fetched is compared with the hub again"
        ) from error
