"""The log of events, from the first one on."""

from collections.abc import Iterator

from datacomp.client.connection import Connection
from datacomp.events import Link, link_of_json


def events(connection: Connection) -> Iterator[Link]:
    """Every event in order; a stretch of them is asked for at a time."""
    last = 0
    while True:
        found = connection.read("list_events", after=last)["events"]
        if not found:
            return
        for value in found:
            event = link_of_json(value)
            yield event
        last = event.seq
