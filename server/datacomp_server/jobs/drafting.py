"""Which jobs a submission lacks for a level, from what it consists of and what was done with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from datacomp.submission.levels import Level
from datacomp_server.jobs import repository
from datacomp_server.jobs.costs import Cost, download_seconds
from datacomp_server.jobs.drafts import Draft, Left
from datacomp_server.jobs.models import BYOD, HOPELESS, PLUGINS, SERVICE, Job
from datacomp_server.kit.errors import Refused
from datacomp_server.submissions import repository as submissions
from datacomp_server.submissions.models import Result, Submission
from datacomp_server.verification.levels import REPRODUCING_SEEDS

_SCORE_SECONDS = 60

Inputs = Mapping[str, str | Left]


def own_data_facts(submission: Submission) -> Mapping[str, Any] | None:
    """Rows and pool id of the submitted addresses, as checked; None if there are none."""
    facts = submission.verdict.facts if submission.verdict is not None else {}
    return facts.get("byod")


def training_seconds(submission: Submission, jobs: Iterable[Job], cost: Cost) -> int:
    """What the first training of a submission would be charged, beside the `jobs` that it has."""
    hope = {job.kind for job in jobs if job.status not in HOPELESS}
    selecting = cost.filter if submission.kind == "plugin" and "filter" not in hope else 0
    return selecting + _train_seconds(submission, cost) + cost.evaluate


def _train_seconds(submission: Submission, cost: Cost) -> int:
    own = own_data_facts(submission)
    return cost.train + (download_seconds(own["rows"]) if own else 0)


class Drafting:
    """Drafts jobs for one submission; each method gives what is not under way or done."""

    def __init__(self, session: Session, submission: Submission, cost: Cost) -> None:
        self.submission, self.board = submission, submission.board
        self.cost = cost
        self.files = {file.role: file.sha256 for file in submission.files}
        self.known = repository.hopeful(session, submission.id)
        results = submissions.results_of(session, submission.id)
        self.reported = next((one for one in results if one.source == "reported"), None)

    def evaluation(self) -> list[Draft]:
        """Evaluate the submitted weights."""
        if any(job.params.get("source") == "evaluated" for job in self.known):
            return []
        report = self.submission.report_sha256
        if "checkpoint" not in self.files or report is None:
            raise self._missing("checkpoint", "re-evaluated")
        inputs = {"checkpoint": self.files["checkpoint"], "report": report}
        return self._measured(inputs, source="evaluated", seed=self.submission.seed)

    def trainings(self, seeds: Sequence[int]) -> list[Draft]:
        """Train on what was submitted with each of `seeds`, and measure."""
        trained = self._trained()
        new = [seed for seed in seeds if seed not in trained]
        if not new:
            return []
        drafts, inputs, told = self._data()
        for seed in new:
            train = self._training(seed, inputs, told)
            measured = {role: Left(train, role) for role in ("checkpoint", "run")}
            drafts += [train, *self._measured(measured, source="trained", seed=seed)]
        return drafts

    def lacking(self, level: Level) -> list[int]:
        """The seeds that a level takes: the submission's own, and for reproduction further ones."""
        own = self.submission.seed
        if level == Level.RE_TRAINED:
            return [own]
        candidates = [own, *(seed for seed in range(2 * REPRODUCING_SEEDS) if seed != own)]
        trained = self._trained()
        missing = max(0, REPRODUCING_SEEDS - len(trained))
        return [seed for seed in candidates if seed not in trained][:missing]

    def _trained(self) -> set[int]:
        return {job.params["seed"] for job in self.known if job.params.get("source") == "trained"}

    def _training(self, seed: int, inputs: Inputs, told: Mapping[str, Any]) -> Draft:
        scale, own_data = self.board.scale, "byod" in inputs
        params = {"scale": scale, "seed": seed, "subset_name": self.submission.method, **told}
        if self.reported is not None:
            params["variant"] = self._variant(self.reported.recipe_id)
        return Draft(
            "train",
            scale + BYOD if own_data else scale,
            None if own_data else self.submission.pool_id,
            params,
            inputs,
            _train_seconds(self.submission, self.cost),
        )

    def _variant(self, recipe_id: str) -> str | None:
        from datacomp.training import published_recipes  # which loads pyarrow: boards need none

        published = published_recipes()
        if recipe_id not in published:
            raise Refused(
                f"submission {self.submission.id} was trained by the recipe {recipe_id[:12]}, "
                "which this version of datacomp does not have",
                code="no_recipe",
            )
        return published[recipe_id][1]

    def _data(self) -> tuple[list[Draft], Inputs, dict[str, Any]]:
        """What is trained on: new jobs that make it, the inputs, and what the worker is told."""
        inputs: dict[str, str | Left] = {
            role: sha256 for role, sha256 in self.files.items() if role in ("byod", "subset")
        }
        if "subset" in inputs:
            return [], inputs, {}
        if self.submission.kind == "plugin":
            drafts, chosen = self._chosen()
            return drafts, {"subset": chosen}, {}
        if "byod" in inputs and not self._is_of_own_pool(self.reported):
            return [], inputs, {}
        if self.reported is not None and self.reported.subset_n == self.reported.pool_size:
            return [], inputs, {"whole_pool": self.reported.subset_sha256}
        raise self._missing("subset", "re-trained")

    def _chosen(self) -> tuple[list[Draft], Left]:
        """What the plugin chooses."""
        known = next((job for job in self.known if job.kind == "filter"), None)
        if known is not None:
            return [], Left(known, "subset")
        inputs = {role: self.files[role] for role in ("plugin", "selection")}
        params, seconds = {"wall_seconds": self.cost.filter}, self.cost.filter
        made = Draft("filter", PLUGINS, self.submission.pool_id, params, inputs, seconds)
        return [made], Left(made, "subset")

    def _is_of_own_pool(self, reported: Result | None) -> bool:
        """Whether a run read the very pool that the submitted addresses make."""
        own = own_data_facts(self.submission)
        return reported is not None and own is not None and reported.pool_id == own["pool_id"]

    def _measured(self, inputs: Inputs, *, source: str, seed: int) -> list[Draft]:
        """Evaluate, then score; the score job says what it is the score of."""
        board, seconds = self.board, self.cost.evaluate
        evaluate = Draft("evaluate", board.scale, None, {"suite": board.suite}, inputs, seconds)
        told, found = {"source": source, "seed": seed}, {"report": Left(evaluate, "report")}
        return [evaluate, Draft("score", SERVICE, None, told, found, _SCORE_SECONDS)]

    def _missing(self, role: str, level: str) -> Refused:
        own = self.submission.id
        if self.submission.report_sha256 is None:
            return Refused(
                f"submission {own} is to be trained by workers: its team sent no {role}, which "
                f"{level} takes",
                code=f"no_{role}",
            )
        return Refused(
            f"submission {own} came without its {role}, which {level} takes. Withdraw it (datacomp "
            f"withdraw {own}), then hand the same report in again with that file.",
            code=f"no_{role}",
        )
