"""Charts as files: SVG and PNG by vl-convert, and the specification itself.

Every picture is kept by the hash of what it is made from, so that a page that changes without its
chart costs no drawing. vl-convert is an optional part: `available` says whether it is there.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.charting.chart import Chart, Drawing

SVG, PNG, SPEC = "image/svg+xml", "image/png", "application/json"
FORMS: Mapping[str, str] = {
    "svg": SVG,
    "png": PNG,
    "vl.json": SPEC,
    "narrow.svg": SVG,
    "narrow.vl.json": SPEC,
}
"""Media type of every form that a chart has, by suffix."""

_KEPT_BYTES = 16 * 2**20


@cache
def available() -> bool:
    """Whether charts can be drawn here."""
    return find_spec("altair") is not None and find_spec("vl_convert") is not None


def draw(chart: Chart, form: str) -> bytes:
    """The chart in a form, a key of `FORMS`; what has no narrow drawing gives its wide one."""
    drawing = (chart.narrow or chart.wide) if form.startswith("narrow.") else chart.wide
    kind = form.removeprefix("narrow.")
    spec = spec_json(drawing)
    if kind == "vl.json":
        return spec
    if kind == "png":
        return _KEEPER.get("png", spec, lambda: png(_KEEPER.get("svg", spec, lambda: _svg(spec))))
    return _KEEPER.get("svg", spec, lambda: _svg(spec))


def spec_json(drawing: Drawing) -> bytes:
    """Vega-Lite with its data, canonical."""
    return json.dumps(drawing.spec, ensure_ascii=False, separators=(",", ":")).encode()


def png(svg: bytes, scale: float = 2.0) -> bytes:
    """A standalone SVG as a picture on white paper, `scale` times as many pixels."""
    import vl_convert

    light = theme.on_white(svg.decode().replace(_STYLE, "", 1))
    head, body = light.split(">", 1)
    paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return vl_convert.svg_to_png(f"{head}>{paper}{body}", scale=scale)


def _svg(spec: bytes) -> bytes:
    import vl_convert

    # the version of the grammar is that of altair's schema, which the specification names
    drawn = vl_convert.vegalite_to_svg(json.loads(spec), show_warnings=False)
    head, body = drawn.split(">", 1)
    return f"{head}>{_STYLE}{body}".encode()


_STYLE = f"<style>{theme.style()}</style>"


class _Keeper:
    """What was drawn last, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._made: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, form: str, source: bytes, make: Callable[[], bytes]) -> bytes:
        key = hashlib.sha256(form.encode() + b"\0" + source).digest()
        with self._lock:
            found = self._made.get(key)
            if found is not None:
                self._made.move_to_end(key)
                return found
        made = make()
        with self._lock:
            if key not in self._made:
                self._made[key] = made
                self._size += len(made)
            while self._size > self._limit and len(self._made) > 1:
                _, oldest = self._made.popitem(last=False)
                self._size -= len(oldest)
        return made


_KEEPER = _Keeper(_KEPT_BYTES)
