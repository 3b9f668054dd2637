"""Files of a dataset repository on the Hugging Face hub: listed at one commit, fetched, verified.

The hub tells each file's size, the sha256 of what it keeps as large file, and git's id of every
other one; a fetched file that differs is fetched again. `HF_ENDPOINT` and `HF_TOKEN` count, as for
every program that uses it.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import PoolError, require
from datacomp.files import sha256_file

ATTEMPTS = 3


@dataclass(frozen=True, order=True)
class HubFile:
    """A file of a repository: `size` in bytes; `sha256` of a large file, else `blob`, git's id."""

    path: str
    size: int
    sha256: str | None = None
    blob: str | None = None


def list_files(repo: str, revision: str | None) -> tuple[str, tuple[HubFile, ...]]:
    """Resolve a revision (a commit, tag or branch; None: the newest) and list all its files.

    Gives the commit and the files in the order of their paths; `PoolError` if that cannot be done.
    """
    hub = require("huggingface_hub.hf_api", "download")
    try:
        api = hub.HfApi(endpoint=hub_endpoint())
        commit: str = api.dataset_info(repo, revision=revision).sha
        files = [
            HubFile(
                entry.path,
                entry.size,
                entry.lfs.sha256 if entry.lfs else None,
                None if entry.lfs else entry.blob_id,
            )
            for entry in api.list_repo_tree(
                repo, recursive=True, revision=commit, repo_type="dataset"
            )
            if isinstance(entry, hub.RepoFile)
        ]
    except Exception as error:  # of requests, httpx or httpx2, as the library's version has it
        what = f"the files of {repo} at {revision or 'its newest commit'}"
        raise _hub_error(what, error) from error
    return commit, tuple(sorted(files))


def fetch_file(repo: str, commit: str, file: HubFile, staging: Path) -> Path:
    """Fetch one file into `staging` and verify it; `PoolError` if it never comes out right."""
    hub = require("huggingface_hub", "download")
    require("huggingface_hub.utils", "download").disable_progress_bars()
    found = "nothing"
    for attempt in range(ATTEMPTS):
        try:
            path = Path(
                hub.hf_hub_download(
                    repo,
                    file.path,
                    repo_type="dataset",
                    revision=commit,
                    local_dir=staging,
                    force_download=attempt > 0,
                    endpoint=hub_endpoint(),
                )
            )
        except Exception as error:  # as above
            found = f"{type(error).__name__}: {_first_line(error)}"
            if attempt + 1 == ATTEMPTS:
                raise _hub_error(f"{file.path} of {repo}", error) from error
            continue
        if (wrong := difference(path, file)) is None:
            return path
        found = wrong
        path.unlink()
    raise PoolError(
        f"{file.path} of {repo} at {commit} came out wrong {ATTEMPTS} times: {found}. Nothing of "
        "it was kept. Run the same command again later."
    )


def difference(path: Path, file: HubFile) -> str | None:
    """How a file on disk differs from what the hub promised; None if it does not."""
    size = path.stat().st_size
    if size != file.size:
        return f"expected {file.size:,} bytes, got {size:,}"
    if file.sha256 is not None and (found := sha256_file(path)) != file.sha256:
        return f"expected sha256 {file.sha256}, got {found}"
    if file.blob is not None and (found := _git_id(path)) != file.blob:
        return f"expected git id {file.blob}, got {found}"
    return None


def hub_endpoint() -> str | None:
    """Read at the call; the library itself reads it once, when it is imported."""
    return os.environ.get("HF_ENDPOINT")


def _git_id(path: Path) -> str:
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _hub_error(what: str, error: Exception) -> PoolError:
    return PoolError(
        f"cannot fetch {what} from {hub_endpoint() or 'the Hugging Face hub'}: "
        f"{type(error).__name__}: {_first_line(error)}. Run the same command again: what is there "
        "is kept. For gated data log in first (HF_TOKEN)."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else "no message"
