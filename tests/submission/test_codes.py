"""The table of codes has every code that a check raises, and no other."""

import re
from pathlib import Path

import datacomp.reports
import datacomp.submission
import datacomp_server.submissions
from datacomp.submission.codes import CODES, GROUPS

PACKAGES = (datacomp.reports, datacomp.submission, datacomp_server.submissions)


def raised():
    for package in PACKAGES:
        for path in Path(package.__file__).parent.glob("*.py"):
            if path.name != "codes.py":
                yield from re.findall(r'"([ESFP]\d{3})"', path.read_text())


def test_every_code_that_a_check_raises_is_explained():
    assert set(raised()) == set(CODES)


def test_a_code_stands_in_one_group():
    assert sum(len(group.codes) for group in GROUPS) == len(CODES)
