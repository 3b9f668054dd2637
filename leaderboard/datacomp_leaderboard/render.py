"""Pages to HTML: Jinja2 with autoescape, and an error for every name that a page does not have."""

import base64
import hashlib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from datacomp_leaderboard.formatting import FILTERS
from datacomp_leaderboard.pages import Page
from datacomp_leaderboard.scales import SCALES

STATIC = Path(str(resources.files("datacomp_leaderboard") / "static"))


@dataclass(frozen=True)
class Social:
    """What other sites show of a link to a page: both whole addresses, with the host."""

    address: str
    card: str


def render(page: Page, social: Social | None = None) -> str:
    """The whole HTML document of a page."""
    context = {field.name: getattr(page, field.name) for field in fields(page)}
    context["social"] = social
    return environment().get_template(page.template).render(context)


@cache
def environment() -> Environment:
    """The templates; what every page may use besides its fields are its `globals`."""
    made = Environment(
        loader=PackageLoader("datacomp_leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS
    made.globals = {
        "asset": asset,
        "chart_bundle": chart_bundle,
        "scales": tuple(SCALES),
        "social": None,
    }
    return made


@cache
def asset(name: str) -> str:
    """Address of a static file; it changes with the content, so that it may be cached for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


@dataclass(frozen=True)
class Bundle:
    """A script that is loaded only if it is, to the byte, what it was when the page was made."""

    address: str
    integrity: str


@cache
def chart_bundle() -> Bundle | None:
    """What makes charts interactive; None where the package was built without (see its hook)."""
    name = "vendor/vega-embed.js"
    if not (STATIC / name).exists():
        return None
    digest = hashlib.sha384((STATIC / name).read_bytes()).digest()
    return Bundle(asset(name), f"sha384-{base64.b64encode(digest).decode()}")
