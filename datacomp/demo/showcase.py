"""Takes the runs of a finished demo into the service's showcase.

    datacomp demo --out demo && python -m datacomp.demo.showcase demo

Needed when the tiny suite, its recipe or the report's schema gets another version.
"""

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from datacomp.demo.methods import BASELINES
from datacomp.errors import UsageError
from datacomp.reports import read_report
from datacomp.submission.manifest import Manifest
from datacomp.subset import read_lock

_MARKED = {
    "no_filter": "what every method should beat",
    "random 30%": "what every method of its size should beat",
}


def collect(demo: Path) -> list[dict[str, Any]]:
    """Every run of a demo's folder as a manifest; `UsageError` if a method has none."""
    runs = []
    for method in BASELINES:
        folders = sorted((demo / "runs").glob(f"*-{method.stem}-seed*"))
        if not folders:
            raise UsageError(f"{demo} has no run of {method.name}; finish it with: datacomp demo")
        for folder in folders:
            fields: dict[str, Any] = {
                "method": method.name,
                "description": method.description,
                "report": read_report(folder / "evaluation" / "tiny" / "report.json").as_json(),
                "lock": read_lock(demo / "subsets" / f"{method.stem}.npy"),
            }
            manifest = Manifest(**fields)
            runs.append({"manifest": manifest.as_json(), "baseline": _MARKED.get(method.name)})
    return runs


if __name__ == "__main__":
    text = json.dumps(collect(Path(sys.argv[1])), separators=(",", ":"), ensure_ascii=False)
    place = Path(str(resources.files("datacomp_server.showcase") / "tiny.json"))
    place.write_text(text + "\n", encoding="utf-8")
