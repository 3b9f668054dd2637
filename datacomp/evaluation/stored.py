"""What a finished task leaves on disk, and whether it still holds."""

import json
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from datacomp.evaluation.outcomes import Outcomes, outcomes_path, write_outcomes
from datacomp.files import sha256_file, sha256_json, write_json
from datacomp.reports import TaskResult, TaskSpec

MODE: Final = "reference"


class StoredResult:
    """Result and outcomes of one task, valid for one encoder, dataset and task version."""

    def __init__(self, out_dir: Path, spec: TaskSpec, encoder: str) -> None:
        self.path = out_dir / "tasks" / f"{spec.key.replace('/', '__')}.json"
        self.lock = self.path.with_suffix(".lock")
        self.outcomes = outcomes_path(out_dir, spec.key)
        self.facts = {"checkpoint": encoder, "task": spec.identity(), "mode": MODE}

    def read(self, dataset: str) -> TaskResult | None:
        """The result on the dataset of that hash, or None."""
        try:
            stored = json.loads(self.path.read_bytes())
            if stored["computed_from"] != self._key(dataset):
                return None
            if stored["outcomes"] != sha256_file(self.outcomes):
                return None
            return TaskResult.model_validate(stored["result"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def write(self, result: TaskResult, outcomes: Outcomes) -> None:
        """Write the outcomes, then the result, which vouches for them."""
        write_outcomes(self.outcomes, outcomes)
        facts = {
            "computed_from": self._key(result.dataset_sha256 or ""),
            "outcomes": sha256_file(self.outcomes),
            "result": result.model_dump(mode="json"),
        }
        write_json(self.path, facts)

    def _key(self, dataset: str) -> str:
        return sha256_json({**self.facts, "dataset": dataset})
