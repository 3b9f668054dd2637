"""The API's description, which clients are made from: `python -m datacomp_server.openapi`."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from datacomp_server.app import create_app
from datacomp_server.context import open_context
from datacomp_server.settings import Settings


def description() -> str:
    """The OpenAPI document of a service with default settings, as JSON text."""
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url="sqlite://")
        context = open_context(settings)
        try:
            described = create_app(context).openapi()
        finally:
            context.close()
    return json.dumps(described, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
