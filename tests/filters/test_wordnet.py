"""WordNet's first senses as NLTK 3.8.1 finds them, on a few of its words."""

import zipfile
from pathlib import Path

import pytest

from datacomp.errors import FilterError
from datacomp_filters.wordnet import (
    NO_SENSE,
    POS_STEP,
    FirstSenses,
    load_wordnet,
    without_punctuation,
    wordnet_sha256,
)

FOLDER = Path(__file__).parents[1] / "golden" / "wordnet"
NOUN, VERB, ADJECTIVE, ADVERB = (pos * POS_STEP for pos in range(4))


@pytest.fixture(scope="module")
def wordnet():
    return load_wordnet(FOLDER)


# What wordnet.synsets(word)[0] of NLTK 3.8.1 says: its part of speech and offset.
@pytest.mark.parametrize(
    ("word", "sense"),
    [
        ("dog", NOUN + 2084071),
        ("DOG", NOUN + 2084071),
        ("dogs", NOUN + 2084071),
        ("hot_dog", NOUN + 10187710),
        ("mice", NOUN + 2330245),
        ("wolves", NOUN + 2114100),
        ("churches", NOUN + 8082602),
        ("children", NOUN + 9917593),
        ("men", NOUN + 8212347),
        ("running", NOUN + 558883),
        ("ate", NOUN + 9557289),
        ("flying", NOUN + 302394),
        ("entwines", VERB + 1672032),
        ("cognitive", ADJECTIVE + 2898585),
        ("quickly", ADVERB + 85811),
        ("dog,", NO_SENSE),
        ("dog's", NO_SENSE),
        ("the", NO_SENSE),
        ("", NO_SENSE),
    ],
)
def test_a_word_has_its_first_sense(wordnet, word, sense):
    assert wordnet.first_sense(word) == sense


def test_rules_are_applied_until_something_is_found(wordnet):
    assert wordnet.first_sense("dogss") == wordnet.first_sense("dog")


@pytest.mark.parametrize(
    ("token", "bare"),
    [("dog,", "dog"), ("(dog)", "dog"), ("'dog's'", "dog's"), ("--", ""), ("u.s.", "u.s")],
)
def test_punctuation_is_stripped_at_the_ends(token, bare):
    assert without_punctuation(token) == bare


def test_a_word_is_stripped_only_where_wordnet_lacks_it(wordnet):
    kept, stripped = FirstSenses(wordnet, False), FirstSenses(wordnet, True)
    assert (kept["dog,"], stripped["dog,"]) == (NO_SENSE, wordnet.first_sense("dog"))
    assert kept["u.s."] == stripped["u.s."] == wordnet.first_sense("u.s.") != NO_SENSE
    assert stripped["--"] == NO_SENSE


def test_the_memory_of_tokens_is_bounded(wordnet, monkeypatch):
    monkeypatch.setattr("datacomp_filters.wordnet.MOST_REMEMBERED", 3)
    senses = FirstSenses(wordnet, False)
    for token in ("dog", "cat", "zzz", "mice", "dog"):
        assert senses[token] == wordnet.first_sense(token)
        assert len(senses) <= 3


def test_a_zip_is_read_like_the_folder_and_has_its_hash(wordnet, tmp_path):
    path = tmp_path / "wordnet.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in FOLDER.iterdir():
            archive.write(file, f"wordnet/{file.name}")
    assert load_wordnet(path) == wordnet
    assert wordnet_sha256(path) == wordnet_sha256(FOLDER)


def copied(folder, **changes):
    folder.mkdir()
    for file in FOLDER.iterdir():
        text = file.read_text()
        old, new = changes.get(file.stem + "_" + file.suffix[1:], ("", ""))
        (folder / file.name).write_text(text.replace(old, new) if old else text)
    return folder


def test_another_version_is_refused(tmp_path):
    other = copied(tmp_path / "31", index_verb=("WordNet 3.0", "WordNet 3.1"))
    with pytest.raises(FilterError, match=r"index\.verb is of WordNet 3\.1, expected 3\.0"):
        load_wordnet(other)


def test_missing_and_damaged_files_are_named(tmp_path):
    broken = copied(tmp_path / "broken", index_noun=("dog n 7", "dog n seven"))
    with pytest.raises(FilterError, match=r"index\.noun is damaged"):
        load_wordnet(broken)
    (broken / "adj.exc").unlink()
    with pytest.raises(FilterError, match=r"lacks adj\.exc"):
        load_wordnet(broken)
    with pytest.raises(FilterError, match=r"neither a WordNet folder nor a zip"):
        load_wordnet(broken / "index.noun")
