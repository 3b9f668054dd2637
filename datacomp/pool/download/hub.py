"""Metadata from the Hugging Face hub: one dataset repository a scale, at one commit.

The hub tells each file's size, and the sha256 of what it keeps as large file; a fetched file that
differs is fetched again. `HF_ENDPOINT` and `HF_TOKEN` count, as for every program that uses it.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import PoolError, UnknownNameError, require
from datacomp.files import sha256_file
from datacomp.pool.download.record import MetadataFile
from datacomp.pool.folder import Folder

ATTEMPTS = 3


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
        hub = require("huggingface_hub", "download")
        try:
            api = hub.HfApi(endpoint=_endpoint())
            commit = api.dataset_info(self.repo, revision=self.revision).sha
            entries = [
                MetadataFile(
                    entry.path.rsplit("/", 1)[-1],
                    entry.path,
                    entry.size,
                    entry.lfs.sha256 if entry.lfs else None,
                )
                for entry in api.list_repo_tree(
                    self.repo, recursive=True, revision=commit, repo_type="dataset"
                )
                if isinstance(entry, hub.hf_api.RepoFile)
                and entry.path.endswith((".parquet", ".npz"))
            ]
        except Exception as error:  # of requests, httpx or httpx2, as the library's version has it
            raise _hub_error(f"the files of {self}", error) from error
        files = tuple(sorted(entries))
        _check_names(self, files)
        return self.describe(files, commit), files

    def fetch(self, file: MetadataFile, source: Mapping[str, Any], staging: Path) -> Path:
        """Fetch one file into `staging` and verify it; `PoolError` if it never comes out right."""
        hub = require("huggingface_hub", "download")
        hub.utils.disable_progress_bars()
        found = "nothing"
        for attempt in range(ATTEMPTS):
            try:
                path = Path(
                    hub.hf_hub_download(
                        self.repo,
                        file.path,
                        repo_type="dataset",
                        revision=source["revision"],
                        local_dir=staging,
                        force_download=attempt > 0,
                        endpoint=_endpoint(),
                    )
                )
            except Exception as error:  # as above
                found = f"{type(error).__name__}: {_first_line(error)}"
                if attempt + 1 == ATTEMPTS:
                    raise _hub_error(f"{file.path} of {self.repo}", error) from error
                continue
            if (wrong := difference(path, file)) is None:
                return path
            found = wrong
            path.unlink()
        raise PoolError(
            f"{file.path} of {self.repo} at {source['revision']} came out wrong {ATTEMPTS} times: "
            f"{found}. Nothing of it was kept. Run the same command again later."
        )


def hub_source(scale: str, revision: str | None = None) -> HubSource:
    """The source of a scale, at the given revision, else at the one that this version pins."""
    if scale not in HUB_REPOS:
        raise UnknownNameError("scale to download", scale, HUB_REPOS)
    repo = HUB_REPOS[scale]
    return HubSource(repo.repo, revision or repo.revision, scale)


def difference(path: Path, file: MetadataFile) -> str | None:
    """How a fetched file differs from what its source promised; None if it does not."""
    size = path.stat().st_size
    if size != file.size:
        return f"expected {file.size:,} bytes, got {size:,}"
    if file.sha256 is not None and (found := sha256_file(path)) != file.sha256:
        return f"expected sha256 {file.sha256}, got {found}"
    return None


def _check_names(source: HubSource, files: tuple[MetadataFile, ...]) -> None:
    twice = [name for name, n in Counter(file.name for file in files).items() if n > 1]
    if twice:
        raise PoolError(
            f"{source} has files of the same name in different folders, which cannot stand in one: "
            f"{', '.join(sorted(twice)[:5])}"
        )
    if not any(file.name.endswith(".parquet") for file in files):
        raise PoolError(f"{source} holds no Parquet file. Name another revision with --revision.")


def _hub_error(what: str, error: Exception) -> PoolError:
    return PoolError(
        f"cannot fetch {what} from {_endpoint() or 'the Hugging Face hub'}: "
        f"{type(error).__name__}: {_first_line(error)}. Run the same command again: what is there "
        "is kept. For gated data log in first (HF_TOKEN); --revision names another revision."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else "no message"


def _endpoint() -> str | None:
    """Read at the call; the library itself reads it once, when it is imported."""
    return os.environ.get("HF_ENDPOINT")
