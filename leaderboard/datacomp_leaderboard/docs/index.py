"""The first page of the documentation: what there is to read."""

from dataclasses import dataclass
from typing import ClassVar

PAGES = (
    ("/docs/submit", "How to submit", "Commands, files, and what every code of a refusal means."),
    ("/docs/rules", "Rules", "What ranks, noise, levels, budgets and the line follow from."),
    ("/docs/methods", "Methods", "Every filter that comes with the software, with its paper."),
    ("/docs/api", "API", "Every address for programs, with what goes in and what comes back."),
)


@dataclass(frozen=True)
class DocsPage:
    """The documentation's pages as (address, title, sentence)."""

    template: ClassVar[str] = "docs.html"

    title: str
    pages: tuple[tuple[str, str, str], ...]


def docs_page() -> DocsPage:
    """The page."""
    return DocsPage("Documentation", PAGES)
