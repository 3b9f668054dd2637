"""Build hook: takes the charts' JavaScript out of vl-convert and puts it among the static files.

`pip install` and wheel builds run it. In a clone whose install is older than the hook, by hand:
    python leaderboard/hatch_build.py
The bundle must be, to the byte, the one that this file names: a change of vl-convert's version in
pyproject.toml is a change of the hash here, made by somebody who looked.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path(__file__).parent / "datacomp_leaderboard" / "static" / "vendor" / "vega-embed.js"
# vega, vega-lite and vega-embed of vl-convert-python 1.9.0.post1
SHA256 = "3425bd951a44d478d0505c6b5d1e8d57656b6e9a4da7bfe88a718ce61d76e572"


class ChartBundleHook(BuildHookInterface[Any]):
    """Makes the bundle before a wheel or an editable install is put together."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the bundle; an error of `write_bundle` ends the build."""
        write_bundle()
        self.app.display_info(f"{BUNDLE.name}: {BUNDLE.stat().st_size:,} bytes, as pinned")


def write_bundle() -> bool:
    """Write the bundle unless it is there; says whether it was written.

    `RuntimeError` if vl-convert gives another than the pinned one.
    """
    if BUNDLE.exists() and _sha256(BUNDLE.read_bytes()) == SHA256:
        return False
    import vl_convert

    content = vl_convert.javascript_bundle().encode()
    if _sha256(content) != SHA256:
        raise RuntimeError(
            f"vl-convert-python {vl_convert.__version__} gives a bundle with sha256 "
            f"{_sha256(content)}, expected {SHA256}. Install the version that pyproject.toml "
            "names under build-system.requires, or look at the new one and pin it in "
            f"{Path(__file__).name}."
        )
    BUNDLE.parent.mkdir(exist_ok=True)
    unfinished = BUNDLE.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_bytes(content)
    unfinished.replace(BUNDLE)
    return True


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    write_bundle()
