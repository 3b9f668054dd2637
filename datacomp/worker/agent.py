"""The agent: asks for jobs and works on them until it is told to stop.

It takes up first what an earlier agent of the same folder was at when it was killed. After a
failure that is this machine's doing it waits longer each time before it asks again, so that a
broken machine does not eat the attempts of every job.
"""

import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from datacomp.client.worker import Advert, Lease, is_transient
from datacomp.errors import ServiceError
from datacomp.worker.attempt import Attempt, Ended
from datacomp.worker.site import Site

LONGEST_WAIT_SECONDS = 60.0
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 15.0, 600.0
_WIDTH, _INDENT = 80, 27

Say = Callable[[str], None]


@dataclass
class Agent:
    """One worker, with at most `jobs` jobs at a time; `say` gets a line at each change of state.

    With `once` it ends when there is no job for it. `ended` counts how its attempts ended.
    """

    site: Site
    advert: Advert
    say: Say
    jobs: int = 1
    once: bool = False
    ended: "Counter[Ended]" = field(default_factory=Counter)
    _busy: dict[int, tuple[Attempt, threading.Thread]] = field(default_factory=dict)
    _news: threading.Event = field(default_factory=threading.Event)
    _failures: int = 0
    _rest_until: float = 0.0

    def run(self) -> None:
        """Until `stop`; `ServiceError` if the service refuses to give this worker any job."""
        try:
            for lease, folder in self.site.state.unfinished():
                self._begin(lease, folder, "taken up again")
            self._ask_on()
        finally:
            self.stop()
            for _, thread in list(self._busy.values()):
                thread.join()

    def stop(self) -> None:
        """Take no more jobs and stop those at hand; `run` returns when they have stopped."""
        self.site.stopping.set()
        for attempt, _ in list(self._busy.values()):
            attempt.beating.news.set()
        self._news.set()

    def _ask_on(self) -> None:
        patience, idle = 1.0, ""
        while not self.site.stopping.is_set():
            self._news.clear()
            wait = self._rest_until - time.monotonic()
            if len(self._busy) >= self.jobs or wait > 0:
                self._news.wait(wait if wait > 0 else None)
                continue
            try:
                answer = self.site.client.claim(self.advert)
            except ServiceError as error:
                if not is_transient(error):
                    raise
                idle = self._told("waiting  for the service", idle, str(error))
                self._news.wait(patience)
                patience = min(2 * patience, LONGEST_WAIT_SECONDS)
                continue
            patience = 1.0
            if isinstance(answer, Lease):
                self._begin(answer, self.site.state.begin(answer), "claimed")
                idle = ""
            elif self.once and not self._busy:
                return
            else:
                idle = self._told("waiting  no job for this worker now", idle)
                self._news.wait(answer.seconds)

    def _begin(self, lease: Lease, folder: Path, how: str) -> None:
        slot = next(number for number in count() if number not in self._busy)

        def say(text: str) -> None:
            self.say(line(f"{lease.kind:8} {lease.job_id[-8:]}", text))

        busy = list(self._busy.values())
        earlier = next((thread for one, thread in busy if one.lease.job_id == lease.job_id), None)
        attempt = Attempt(self.site, lease, folder, slot % self.jobs, say, earlier)
        say(f"{how}: {lease.job_id}, {lease.resource}, try {lease.attempt}/{lease.max_attempts}")
        thread = threading.Thread(target=self._live, args=(slot, attempt), name=lease.lease_id)
        self._busy[slot] = (attempt, thread)
        thread.start()

    def _live(self, slot: int, attempt: Attempt) -> None:
        ended: Ended = "infrastructure"
        try:
            ended = attempt.run()
            self.site.cache.prune()
            self.site.state.prune()
        except Exception:  # a defect of ours; the other jobs go on, a lease not finished runs out
            traceback.print_exc(file=sys.stderr)
        self.ended[ended] += 1
        self._rest_after(ended)
        del self._busy[slot]
        self._news.set()

    def _rest_after(self, ended: Ended) -> None:
        """Pause after failures of this machine's, longer each time."""
        if ended != "infrastructure":
            self._failures = 0
            return
        rest = min(FIRST_REST_SECONDS * 2**self._failures, LONGEST_REST_SECONDS)
        self._failures += 1
        self._rest_until = time.monotonic() + rest
        self.say(line("resting", f"{rest:.0f} s after a failure that is this machine's"))

    def _told(self, what: str, before: str, detail: str = "") -> str:
        """Say once why nothing happens."""
        if what != before:
            first, _, rest = what.partition("  ")
            self.say(line(first, f"{rest}{f': {detail}' if detail else ''}"))
        return what


def line(subject: str, text: str) -> str:
    """A change of state, with the time; what does not fit into 80 columns goes on below."""
    import textwrap

    head = f"{time.strftime('%H:%M:%S')} {subject}"
    return "\n".join(
        textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=f"{head:{_INDENT}}",
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
        )
    )
