"""A filter for the Ray tests, loaded as a plugin: its step can hold still until it is told."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from datacomp.filtering import Filter, RowStep, keep_unless, runtime_field


@dataclass(frozen=True, kw_only=True)
class Watched(RowStep):
    """Characters of the caption; a part is known by its first caption, and noted in `control`.

    With `hold`, the second part of a worker waits: for ever on the nodes that are doomed, elsewhere
    until somebody opens the pipe `go`.
    """

    name = "watched"
    rows_per_second = 1000.0
    deadly: str = ""
    control: str = runtime_field(default="")
    hold: bool = runtime_field(default=False)

    def columns(self):
        return ("text",)

    def outputs(self):
        return pa.schema([("length", pa.float32())])

    def open(self, host):
        seen = []

        def compute(batch):
            captions = batch.column("text").to_pylist()
            seen.append(captions[0])
            if self.control:
                self._note(captions[0], host.device)
            if captions[0] == self.deadly:
                os._exit(9)
            if self.hold and len(seen) == 2:
                self._wait()
            lengths = [float(len(caption)) for caption in captions]
            return pa.record_batch([pa.array(lengths, pa.float32())], names=["length"])

        return compute

    def _note(self, part, device):
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        with open(Path(self.control, "log"), "a") as file:
            file.write(f"{part} {os.getpid()} {_node()} {device} {gpus or '-'}\n")

    def _wait(self):
        if Path(self.control, "doomed").read_text() in ("all", _node()):
            with open(Path(self.control, "held"), "w") as pipe:
                pipe.write(f"{os.getpid()}\n")
            threading.Event().wait()
        Path(self.control, "go").read_bytes()


def _node():
    import ray

    return ray.get_runtime_context().get_node_id()


@dataclass(frozen=True, kw_only=True)
class Long(Filter):
    """Captions of three characters or more."""

    name = "toy_long"
    summary = "Keep captions of three characters or more."
    deadly: str = ""
    control: str = runtime_field(default="")
    hold: bool = runtime_field(default=False)

    def steps(self):
        return (Watched(deadly=self.deadly, control=self.control, hold=self.hold),)

    def select(self, view):
        for rows in view.parts():
            yield keep_unless(rows, {"short": ~(rows.scores("length") >= 3)})
