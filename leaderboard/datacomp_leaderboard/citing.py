"""How a submission is cited: BibTeX, with nothing in it that steers TeX; pure."""

from dataclasses import dataclass
from datetime import datetime

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "%&#_$"},
}


@dataclass(frozen=True)
class Cite:
    """The entry, and the hash that stands for good: of the report."""

    bibtex: str
    sha256: str


def cite(*, id: str, method: str, team: str, scale: str, at: datetime, report_sha256: str) -> Cite:
    """The citation of a submission."""
    lines = {
        "title": f"{{{_plain(method)}}}",
        "author": f"{{{_plain(team)}}}",
        "year": str(at.year),
        "howpublished": f"DataComp board {scale}, submission {id}",
        "note": f"report sha256 {report_sha256}",
    }
    inside = ",\n".join(f"  {name} = {{{value}}}" for name, value in lines.items())
    return Cite(f"@misc{{datacomp-{id.lower()},\n{inside}\n}}", report_sha256)


def _plain(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in " ".join(text.split()))
