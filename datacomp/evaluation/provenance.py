"""What a training run says about itself, as the provenance of its report."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from datacomp import __version__
from datacomp.errors import EvaluationError
from datacomp.files import sha256_file
from datacomp.reports import Provenance

_PACKAGES = {"torch": "torch", "open_clip": "open_clip_torch", "pillow": "pillow", "numpy": "numpy"}


def read_provenance(run_dir: Path) -> Provenance:
    """The provenance of a finished run; `EvaluationError` if it is unfinished or was changed.

    The checkpoint is hashed and compared, so that a report never names another one.
    """
    path = run_dir / "run.json"
    try:
        run = json.loads(path.read_bytes())
        checkpoint = run_dir / run["checkpoint"]["path"]
        stated = run["checkpoint"]["sha256"]
        platform = {**environment(), **{k: str(v) for k, v in run["platform"].items()}}
        kept = {k: run[k] for k in ("scale", "recipe_id", "pool_id", "pool_size", "seed")}
        provenance = Provenance(
            **kept,
            subset=run["subset"],
            samples_seen=run["samples_seen"],
            checkpoint_sha256=stated,
            platform=platform,
        )
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{run_dir} is no finished training run: it has no run.json. "
            f"Train first, or go on with: datacomp train --output-dir {run_dir}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise EvaluationError(f"{path} does not describe a run: {error!r}") from error
    found = sha256_file(checkpoint) if checkpoint.is_file() else "missing"
    if found != stated:
        raise EvaluationError(
            f"checkpoint {checkpoint} is not the one that the run wrote: sha256 {found[:12]}, "
            f"run.json says {stated[:12]}. Train again."
        )
    return provenance


def environment() -> dict[str, str]:
    """Versions that a number could depend on."""
    found = {"datacomp": __version__, "python": platform.python_version()}
    for name, package in _PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found
