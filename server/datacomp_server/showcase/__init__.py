"""A board that lives from the first visit: published numbers and runs of the demo."""

from datacomp_server.showcase.filling import Filled, fill_showcase

__all__ = ["Filled", "fill_showcase"]
