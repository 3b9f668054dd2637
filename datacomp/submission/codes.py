"""What every code of a finding means, in one table: for documentation pages, not for the checks.

The checks themselves say what was found, where, and what to do. A code never changes its meaning;
a test holds the table to the codes that the checks raise.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CodeGroup:
    """Codes about one thing; `key` is a word for addresses."""

    key: str
    title: str
    codes: Mapping[str, str]


GROUPS = (
    CodeGroup(
        "report",
        "The report",
        {
            "E001": "the document does not follow the schema",
            "E002": "a number is not finite",
            "E101": "another suite, or another version of it",
            "E201": "a task of the suite is missing",
            "E202": "a task that the suite does not have",
            "E203": "a task failed",
            "E204": "another version of the task",
            "E205": "another number of samples",
            "E206": "another main metric",
            "E207": "a metric is missing",
            "E208": "a metric that the task does not have",
            "E209": "no dataset hash",
            "E301": "a value outside 0 to 1",
            "E302": "an accuracy that is no whole number of pictures, or of another number of them",
            "E303": "top-5 below top-1, recall@10 below recall@5",
            "E304": "the worst group is not the worst of the groups",
            "E305": "an impossible standard error, or none at a main metric",
            "E306": "another chance level than the suite's",
            "E307": "mean recall is not the mean of both recalls",
            "E308": "a main metric without value",
            "E309": "groups that do not hold all pictures, or do not make the mean",
            "E401": "the average does not follow from the tasks",
            "E402": "a group's mean does not follow from the tasks, or nobody knows the group",
            "E403": "complete does not follow from the tasks",
            "E501": "a count of zero where there must be something",
            "E502": "more unique uids than entries in the subset",
            "E503": "more unique uids in the subset than rows in the pool",
            "E504": "no training run is behind the report: nothing to submit",
        },
    ),
    CodeGroup(
        "manifest",
        "The manifest",
        {
            "S101": "the method's name is empty, too long, or holds characters that could mislead",
            "S102": "the description is too long, or holds characters that could mislead",
            "S103": "a text inside the report or the manifest does so",
            "S104": "an unknown scale",
            "S105": "an unknown suite",
            "S106": "a suite that the scale is not ranked by",
            "S107": "not a published recipe of the scale",
            "S108": "not as many samples as the recipe sees",
            "S109": "no board for this track, scale and version of the suite",
            "S110": "the board is not open",
            "S201": "the lock file is of another subset",
            "S202": "the lock file cannot be read",
            "S301": "something is missing that this kind of submission needs",
            "S302": "something is there that has no place in it",
            "S303": "two files have the same role",
            "S304": "the weights are not those that the report is of",
            "S305": "scale, pool or seed are not the report's",
        },
    ),
    CodeGroup(
        "profile",
        "The profile",
        {
            "P601": "larger than 64 KiB",
            "P602": "not a profile of this schema",
            "P603": "other bins than the schema's",
            "P604": "counts that do not add up",
            "P605": "of another pool or subset",
            "P606": "a caption that is too long, or not plain text",
            "P607": "a curve that is none",
        },
    ),
    CodeGroup(
        "file",
        "Any file",
        {"F001": "not a plain file, or not readable"},
    ),
    CodeGroup(
        "subset",
        "A subset",
        {
            "F101": "not a .npy file",
            "F102": "another dtype than two unsigned 64-bit integers",
            "F103": "not one dimension, or in Fortran order",
            "F104": "cut off, or more bytes than its header says",
            "F105": "not sorted",
            "F106": "empty",
            "F107": "another subset than the report states",
        },
    ),
    CodeGroup(
        "checkpoint",
        "Weights",
        {
            "F201": "not safetensors",
            "F202": "its header is too large",
            "F203": "its header is not plain JSON of tensors",
            "F204": "a tensor's entry is wrong",
            "F205": "a tensor has another number of bytes than its dtype and shape",
            "F206": "tensors overlap, leave gaps, or do not fill the file",
            "F207": "a pickle, which is never read",
            "F208": "not the tensors of the recipe's model: names, dtypes, shapes",
            "F209": "a value that is infinite or not a number",
        },
    ),
    CodeGroup(
        "byod",
        "Own data",
        {
            "F301": "not Parquet",
            "F302": "its footer is too large",
            "F303": "not exactly the columns url and caption, as strings",
            "F304": "no rows, or too many",
            "F305": "more row groups, or larger ones, than are read",
            "F306": "a value that is null, not UTF-8, no http(s) address, or too long",
            "F307": "not readable within memory and time",
            "F308": "other data than what was trained on, or is to be",
        },
    ),
    CodeGroup(
        "plugin",
        "A filter plugin",
        {
            "F401": "neither a wheel nor an sdist",
            "F402": "not one plain archive: damaged, or two in one",
            "F403": "a member's name",
            "F404": "a member that is no plain file, or packed otherwise",
            "F405": "too many members, or too large unpacked",
            "F406": "compiled code, or files that run by themselves",
            "F407": "its metadata",
            "F408": "no entry point in the group datacomp.filters",
        },
    ),
    CodeGroup(
        "selection",
        "A selection, and a subset's lock",
        {
            "F501": "too large, or not UTF-8",
            "F502": "not YAML, or more of YAML than plain values",
            "F503": "not a mapping with select, and perhaps columns",
            "F504": "nested too deeply, or too many parts",
            "F511": "a lock that is not of this subset, or nested too deeply",
        },
    ),
)

CODES: Mapping[str, str] = {code: words for group in GROUPS for code, words in group.codes.items()}
"""Every code."""
