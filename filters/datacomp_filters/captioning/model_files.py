"""Models of the Hugging Face hub as assets: a folder given, or a snapshot in this machine's cache.

A model is named by its folder, or as owner/name@revision with the full hash of a commit, since a
branch can move. Filters never download: what is not there yet is an error that names the command.
Keys hold the content of the files, so that a folder and a snapshot of the same files are the same.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import FilterError, UsageError, require
from datacomp.filtering.assets import FoundAsset

EXTRA = "captions"
_REFERENCE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})")
_KINDS = (".json", ".txt", ".model")
_SAFE, _TORCH = ".safetensors", ".bin"


@dataclass(frozen=True)
class ModelName:
    """What a parameter that names a model says, and what to look for in it.

    `config` is a file that every such model has; `files` are fetched where the model is missing.
    """

    parameter: str
    config: str
    files: tuple[str, ...]

    def folder(self, named: str) -> Path:
        """The folder of a model; `FilterError` with the remedy if it is not on this machine."""
        if (folder := Path(named).expanduser()).is_dir():
            if not (folder / self.config).is_file():
                raise FilterError(f"{self.parameter}={named} is no such model: no {self.config}")
            return folder
        reference = _REFERENCE.fullmatch(named)
        if reference is None:
            raise UsageError(
                f"{self.parameter}={named} is neither a folder nor a model of the hub as "
                "owner/name@revision, the revision being the 40 hex characters of a commit"
            )
        repository, revision = reference["repository"], reference["revision"]
        hub = require("huggingface_hub", EXTRA)
        found = hub.try_to_load_from_cache(repository, self.config, revision=revision)
        if not isinstance(found, str):
            raise FilterError(
                f"the model {repository} (revision {revision}) is not on this machine. Run: "
                f"hf download {repository} --revision {revision} {' '.join(self.files)}; or give "
                f"{self.parameter}=FOLDER"
            )
        return Path(found).parent


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bar of transformers while a model is read: a run has its own."""
    logging = require("transformers.utils.logging", EXTRA)
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def model_assets(label: str, folder: Path, inner: Iterable[str] = ("",)) -> tuple[FoundAsset, ...]:
    """The files that a model is read from, sorted by name; weights as safetensors where there are.

    `inner` are the folders in it that hold files of the model.
    """
    found: list[Path] = []
    for place in sorted(set(inner)):
        there = [path for path in sorted((folder / place).iterdir()) if path.is_file()]
        safe = any(path.suffix == _SAFE for path in there)
        kinds = (*_KINDS, _SAFE if safe else _TORCH)
        found += [path for path in there if path.suffix in kinds]
    return tuple(
        FoundAsset(f"{label}/{path.relative_to(folder).as_posix()}", path) for path in found
    )
