"""WordNet 3.0 as a table from words to their first sense, as NLTK 3.8.1 finds it.

`nltk.corpus.wordnet.synsets(word)[0]` needs the index and exception files only: a word is
lower-cased; nouns, then verbs, adjectives, adverbs are asked; a part of speech answers with the
most frequent sense of the word itself or of its base forms (Morphy). NLTK 3.8.1, which DataComp
pins, applies Morphy's rules again and again until something is found; later NLTKs apply them once.
The files (Princeton's wndb(5)) stand in a folder, or in NLTK's zip.
"""

import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import FilterError
from datacomp.files import sha256_json

VERSION = "3.0"
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
POS_STEP = 100_000_000
"""A sense as one int32: part of speech (0 noun, 1 verb, 2 adjective, 3 adverb) * this + offset."""

NO_SENSE = -1
MOST_REMEMBERED = 500_000
LONGEST_REMEMBERED = 64
"""Tokens kept in memory, and their characters: some 50 MB at most in ordinary text."""

_FILES = (*(f"index.{pos}" for pos in PARTS_OF_SPEECH), *(f"{pos}.exc" for pos in PARTS_OF_SPEECH))
_ENDINGS: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
    (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    (),
)


@dataclass(frozen=True)
class WordNet:
    """For each part of speech, the first sense's offset of a lemma, and irregular base forms."""

    senses: tuple[Mapping[str, int], ...]
    exceptions: tuple[Mapping[str, Sequence[str]], ...]

    def first_sense(self, word: str) -> int:
        """The first sense of a word as a code (see `POS_STEP`); `NO_SENSE` without any."""
        word = word.lower()
        for number, senses in enumerate(self.senses):
            form = self.base_form(word, number)
            if form is not None:
                return number * POS_STEP + senses[form]
        return NO_SENSE

    def base_form(self, word: str, pos: int) -> str | None:
        """The first form that this part of speech knows: the word, or what Morphy makes of it."""
        senses, endings = self.senses[pos], _ENDINGS[pos]
        if word in senses:
            return word
        if word in self.exceptions[pos]:
            return next((form for form in self.exceptions[pos][word] if form in senses), None)
        forms = [word]
        while forms:
            forms = [
                form[: -len(old)] + new
                for form in forms
                for old, new in endings
                if form.endswith(old)
            ]
            for form in forms:
                if form in senses:
                    return form
        return None


class FirstSenses(dict[str, int]):
    """First senses by token, looked up once; forgets all when it holds too many."""

    def __init__(self, wordnet: WordNet, strip_punctuation: bool) -> None:
        super().__init__()
        self._wordnet = wordnet
        self._strip = strip_punctuation

    def __missing__(self, token: str) -> int:
        """Look up; a token that WordNet lacks may be stripped of punctuation and tried again."""
        sense = self._wordnet.first_sense(token)
        if sense == NO_SENSE and self._strip and (bare := without_punctuation(token)) != token:
            sense = self._wordnet.first_sense(bare)
        if len(token) <= LONGEST_REMEMBERED:
            if len(self) >= MOST_REMEMBERED:
                self.clear()
            self[token] = sense
        return sense


def without_punctuation(token: str) -> str:
    """The token less everything at its ends that is neither letter nor digit."""
    start, stop = 0, len(token)
    while start < stop and not token[start].isalnum():
        start += 1
    while stop > start and not token[stop - 1].isalnum():
        stop -= 1
    return token[start:stop]


def load_wordnet(path: Path) -> WordNet:
    """Read a dictionary; `FilterError` if a file is missing, damaged, or of another version."""
    files = _read(path)
    return WordNet(
        tuple(_index(path, f"index.{pos}", files[f"index.{pos}"]) for pos in PARTS_OF_SPEECH),
        tuple(_exceptions(files[f"{pos}.exc"]) for pos in PARTS_OF_SPEECH),
    )


def wordnet_sha256(path: Path) -> str:
    """One hash of the files that are read, the same for a folder and for a zip of it."""
    return sha256_json(
        {name: hashlib.sha256(data).hexdigest() for name, data in _read(path).items()}
    )


def _read(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        found = {name: path / name for name in _FILES if (path / name).is_file()}
        _demand_all(path, found)
        return {name: file.read_bytes() for name, file in found.items()}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(name).name: name for name in archive.namelist()}
            found_members = {name: members[name] for name in _FILES if name in members}
            _demand_all(path, found_members)
            return {name: archive.read(member) for name, member in found_members.items()}
    except (OSError, zipfile.BadZipFile) as error:
        raise FilterError(f"{path} is neither a WordNet folder nor a zip of one: {error}") from None


def _demand_all(path: Path, found: Mapping[str, object]) -> None:
    if missing := [name for name in _FILES if name not in found]:
        raise FilterError(
            f"{path} is no WordNet dictionary: it lacks {', '.join(missing)}. Expected the files "
            f"of WordNet {VERSION}, such as nltk_data/corpora/wordnet or /usr/share/wordnet"
        )


def _index(path: Path, name: str, data: bytes) -> dict[str, int]:
    text = data.decode()
    version = re.search(r"WordNet (\d[\d.]*) Copyright", text[:4000])
    if version is None or version[1] != VERSION:
        raise FilterError(
            f"{path}: {name} is of WordNet {version[1] if version else 'no stated version'}, "
            f"expected {VERSION}: offsets of other versions mean other things"
        )
    try:
        return dict(_lemmas(text))
    except (ValueError, IndexError) as error:
        raise FilterError(f"{path}: {name} is damaged: {error}") from None


def _lemmas(text: str) -> Iterator[tuple[str, int]]:
    """Lemma and first offset: `lemma pos n p [p pointers] n tagged offset...`, by frequency."""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            fields = line.split()
            yield fields[0], int(fields[-int(fields[2])])


def _exceptions(data: bytes) -> dict[str, list[str]]:
    lines = (line.split() for line in data.decode().splitlines())
    return {word: forms for word, *forms in filter(None, lines)}
