"""The concepts of every row, by the words of its caption and by its image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.filtering import Asset, RowFunction, RowStep, runtime_field
from datacomp.filtering.contract import Host
from datacomp_filters.classes import IMAGES, Classes, image_rows, similarities
from datacomp_filters.lists import Grouping, blocks, lists
from datacomp_filters.senses import WordNetSenses
from datacomp_filters.substrings import plain_words
from datacomp_filters.wordnet import WordNet, load_wordnet

IN_CAPTION = "caption_concepts"
IN_IMAGE, IN_IMAGE_SIMILARITY = "image_concepts", "image_concept_similarity"
MOST_TAGS = 10
"""Concepts of an image that are stored; a threshold picks from them."""

_LITTLE = "a an and as at by for from in into of on or over the to under up with without"
FUNCTION_WORDS = frozenset(_LITTLE.split())
"""Words of a concept's name that a caption need not have."""

_NOUN = 0
_CONCEPTS = pa.list_(pa.int32())


@dataclass(frozen=True, kw_only=True)
class CaptionConcepts(RowStep):
    """The concepts all of whose words stand in each caption, ascending; null for no caption.

    Words are runs of letters, digits and accents, in lower case; with `lemmas`, their noun lemmas
    in WordNet 3.0, where they have one. `names` and `target` are those of classes.py,
    `wordnet` is a folder or zip of WordNet's files.
    """

    name = "caption_concepts"
    rows_per_second = 200_000.0

    lemmas: bool
    names: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    wordnet: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def outputs(self) -> pa.Schema:
        """Places in the list of concepts."""
        return pa.schema([(IN_CAPTION, _CONCEPTS)])

    def assets(self) -> tuple[Asset, ...]:
        """What the names come from, and the dictionary."""
        names = Classes(self.names, self.target).name_assets()
        return (*names, *self._dictionary()) if self.lemmas else names

    def _dictionary(self) -> tuple[Asset, ...]:
        return WordNetSenses(strip_punctuation=False, wordnet=self.wordnet).assets()

    def open(self, host: Host) -> RowFunction:
        """Read the dictionary, and note which words each concept needs."""
        dictionary = None
        if self.lemmas:
            (asset,) = self._dictionary()
            dictionary = load_wordnet(asset.path)
        table = _ConceptTable(Classes(self.names, self.target).in_order(), dictionary)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            captions = batch.column("text")
            row, concept = table.find(captions)
            counts = np.bincount(row, minlength=len(captions)).astype(np.int32)
            missing = np.asarray(captions.is_null())
            return pa.record_batch([lists(counts, pa.array(concept), missing)], names=[IN_CAPTION])

        return compute


@dataclass(frozen=True, kw_only=True)
class ImageConcepts(RowStep):
    """The concepts nearest to each image, at most `MOST_TAGS`, nearest first, with their cosines.

    Of equal cosines the first concept comes first; null for an image without a vector. `names`,
    `target` and `embeddings` are those of classes.py.
    """

    name = "image_concepts"
    features = (IMAGES,)
    rows_per_second = 20_000.0

    names: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    embeddings: str | None = runtime_field(default=None)

    def outputs(self) -> pa.Schema:
        """Places in the list of concepts, and cosines."""
        return pa.schema([(IN_IMAGE, _CONCEPTS), (IN_IMAGE_SIMILARITY, pa.list_(pa.float32()))])

    def assets(self) -> tuple[Asset, ...]:
        """What names and vectors come from."""
        return Classes(self.names, self.target, self.embeddings).vector_assets()

    def open(self, host: Host) -> RowFunction:
        """Read the vectors."""
        vectors = Classes(self.names, self.target, self.embeddings).vectors()
        n = min(MOST_TAGS, len(vectors))

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images = image_rows(batch)
            nearest = np.zeros((len(images), n), np.int64)
            cosines = np.full((len(images), n), np.nan, np.float32)
            for start, stop in blocks(len(images), len(vectors)):
                near = similarities(images[start:stop], vectors)
                nearest[start:stop] = np.argsort(-near, axis=1, kind="stable")[:, :n]
                cosines[start:stop] = np.take_along_axis(near, nearest[start:stop], 1)
            missing = np.asarray(np.isnan(cosines).any(1))
            counts = np.where(missing, 0, n).astype(np.int32)
            of = nearest[~missing].ravel().astype(np.int32)
            columns = (pa.array(of), pa.array(cosines[~missing].ravel()))
            return pa.record_batch(
                [lists(counts, values, missing) for values in columns], names=self.outputs().names
            )

        return compute


class _ConceptTable:
    """Which concepts have all their terms among a caption's; terms are lemmas, or words."""

    def __init__(self, names: tuple[str, ...], dictionary: WordNet | None) -> None:
        self._dictionary = dictionary
        self._terms: dict[str, int] = {}
        groups: list[list[int]] = []
        self._n_terms = np.zeros(len(names), np.int64)
        for concept, name in enumerate(plain_words(pa.array(names)).to_pylist()):
            terms = {self._term(word) for word in _content_words(name)}
            self._n_terms[concept] = len(terms)
            for term in terms:
                number = self._terms.setdefault(term, len(groups))
                if number == len(groups):
                    groups.append([])
                groups[number].append(concept)
        self._concepts = Grouping.of(groups)

    def find(self, captions: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Rows and concepts, ascending, each pair once."""
        words = pc.split_pattern(pc.fill_null(plain_words(captions), ""), " ")
        row = np.asarray(pc.list_parent_indices(words))
        coded = pc.dictionary_encode(pc.list_flatten(words))
        numbers = np.array([self._number(word) for word in coded.dictionary.to_pylist()], np.int64)
        term = numbers[coded.indices.to_numpy()]
        row, term = row[term >= 0], term[term >= 0]
        pairs = np.unique((row.astype(np.int64) << 32) | term)
        which, concept = self._concepts.expand(pairs & 0xFFFF_FFFF)
        found, terms = np.unique((pairs[which] >> 32 << 32) | concept, return_counts=True)
        concept = found & 0xFFFF_FFFF
        whole = terms == self._n_terms[concept]
        return found[whole] >> 32, concept[whole].astype(np.int32)

    def _number(self, word: str) -> int:
        """The number of a word's term, -1 if no concept has it."""
        return self._terms.get(self._term(word), -1)

    def _term(self, word: str) -> str:
        return word if self._dictionary is None else noun_lemma(self._dictionary, word)


def noun_lemma(dictionary: WordNet, word: str) -> str:
    """A lower-case word's base form as a noun; the word itself if WordNet knows none.

    Irregular forms come first ("men" is "man", though WordNet has a "men"), then the word, then
    Morphy's rules.
    """
    for form in dictionary.exceptions[_NOUN].get(word, ()):
        if form in dictionary.senses[_NOUN]:
            return form
    return dictionary.base_form(word, _NOUN) or word


def _content_words(name: str) -> list[str]:
    """The words of a name, without those that a caption need not have, unless there are others."""
    words = name.split()
    return [word for word in words if word not in FUNCTION_WORDS] or words
