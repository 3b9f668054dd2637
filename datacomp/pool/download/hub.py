"""Metadata from the Hugging Face hub: one dataset repository a scale, at one commit."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import PoolError, UnknownNameError
from datacomp.pool.download.hub_files import HubFile, fetch_file, list_files
from datacomp.pool.download.record import MetadataFile
from datacomp.pool.folder import Folder


@dataclass(frozen=True)
class HubRepo:
    """A scale's dataset repository. `revision` None: no commit of it is known to this version."""

    repo: str
    rows: int
    revision: str | None = None


# The two commits are quoted by other public projects that pin them (the second with sizes and
# sha256 of files); a scale without one is pinned to the commit that its first download meets.
HUB_REPOS: Mapping[str, HubRepo] = {
    "small": HubRepo(
        "mlfoundations/datacomp_small", 12_800_000, "b7dd54c19199236fe33f367ce7f88f412244fab8"
    ),
    "medium": HubRepo("mlfoundations/datacomp_medium", 128_000_000),
    "large": HubRepo("mlfoundations/datacomp_large", 1_280_000_000),
    "xlarge": HubRepo("mlfoundations/datacomp_xlarge", 12_800_000_000),
    "datacomp_1b": HubRepo(
        "mlfoundations/datacomp_1b", 1_400_000_000, "086ebeee20d4cc3b3e7c05ae703fcf278ae3a759"
    ),
}


@dataclass(frozen=True)
class HubSource:
    """A dataset repository at a revision: a commit, a tag or a branch. None: the newest commit."""

    repo: str
    revision: str | None = None
    scale: str | None = None

    def describe(self, files: tuple[MetadataFile, ...], commit: str) -> dict[str, Any]:
        """The source as the record keeps it."""
        return {
            "kind": "hub",
            "repo": self.repo,
            "revision": commit,
            "asked": self.revision,
            "scale": self.scale,
        }

    def is_recorded(self, source: Mapping[str, Any]) -> bool:
        """Whether a pool with this recorded source can be gone on with."""
        return (
            source.get("kind") == "hub"
            and source.get("repo") == self.repo
            and self.revision in (None, source.get("revision"), source.get("asked"))
        )

    def is_inside(self, pool: Folder) -> bool:
        """Never: the hub is elsewhere."""
        return False

    def __str__(self) -> str:
        return f"{self.repo} at {self.revision or 'its newest commit'}"

    def listing(self) -> tuple[dict[str, Any], tuple[MetadataFile, ...]]:
        """Resolve the revision to a commit and list its Parquet and npz files, flattened."""
        try:
            commit, found = list_files(self.repo, self.revision)
        except PoolError as error:
            raise PoolError(f"{error} --revision names another revision.") from error
        entries = [
            MetadataFile(file.path.rsplit("/", 1)[-1], file.path, file.size, file.sha256)
            for file in found
            if file.path.endswith((".parquet", ".npz"))
        ]
        files = tuple(sorted(entries))
        _check_names(self, files)
        return self.describe(files, commit), files

    def fetch(self, file: MetadataFile, source: Mapping[str, Any], staging: Path) -> Path:
        """Fetch one file into `staging` and verify it; `PoolError` if it never comes out right."""
        wanted = HubFile(file.path, file.size, file.sha256)
        return fetch_file(self.repo, source["revision"], wanted, staging)


def hub_source(scale: str, revision: str | None = None) -> HubSource:
    """The source of a scale, at the given revision, else at the one that this version pins."""
    if scale not in HUB_REPOS:
        raise UnknownNameError("scale to download", scale, HUB_REPOS)
    repo = HUB_REPOS[scale]
    return HubSource(repo.repo, revision or repo.revision, scale)


def _check_names(source: HubSource, files: tuple[MetadataFile, ...]) -> None:
    twice = [name for name, n in Counter(file.name for file in files).items() if n > 1]
    if twice:
        raise PoolError(
            f"{source} has files of the same name in different folders, which cannot stand in one: "
            f"{', '.join(sorted(twice)[:5])}"
        )
    if not any(file.name.endswith(".parquet") for file in files):
        raise PoolError(f"{source} holds no Parquet file. Name another revision with --revision.")
