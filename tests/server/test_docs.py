"""docs/service.md names every setting, every code and every public route."""

import re
from pathlib import Path

from datacomp.submission import checks
from datacomp.submission import rules as shared_rules
from datacomp_server.jobs.costs import COSTS
from datacomp_server.settings import Settings
from datacomp_server.submissions import intake, notices, rules

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
TEXT = (Path(__file__).parents[2] / "docs" / "service.md").read_text()


def test_every_setting_is_documented():
    for name in Settings.model_fields:
        assert f"`DATACOMP_SERVER_{name.upper()}`" in TEXT


def test_the_costs_of_jobs_are_documented():
    rows = re.findall(r"\| (\w+) \| (\d+) \| (\d+) \| (\d+) \|", OPERATIONS)
    told = {scale: tuple(map(int, costs)) for scale, *costs in rows}
    assert told == {scale: (c.filter, c.train, c.evaluate) for scale, c in COSTS.items()}


def test_every_notice_is_documented():
    for code in re.findall(r"^\| (\w+_\w+) \|", notices.__doc__, re.MULTILINE):
        assert f"| `{code}` |" in TEXT


def test_every_code_is_documented():
    modules = (rules, intake, shared_rules)
    codes = {c for m in modules for c in re.findall(r"S\d{3}", Path(m.__file__).read_text())}
    assert codes == set(re.findall(r"S\d{3}", TEXT))


def test_every_route_is_documented(service):
    for path in service.http.get("/api/v1/openapi.json").json()["paths"]:
        assert (
            path.replace("{submission_id}", "{id}")
            .replace("{token_id}", "{id}")
            .removesuffix("/report")
            .removesuffix("/lock")
            in TEXT
        )


def test_every_code_of_files_is_documented():
    modules = Path(checks.__file__).parent.glob("*.py")
    ranges = [(int(a), int(b or a)) for a, b in re.findall(r"F(\d{3})(?: to F(\d{3}))?", TEXT)]
    for code in set(re.findall(r'"F(\d{3})"', "".join(path.read_text() for path in modules))):
        assert any(first <= int(code) <= last for first, last in ranges), code
