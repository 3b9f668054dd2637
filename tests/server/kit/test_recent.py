"""What is kept for a while: how long, and who waits."""

import asyncio

from datacomp_server.kit.recent import REST, Recent


class Making:
    """Numbers, each of which takes `seconds` to make by a timer that stands otherwise."""

    def __init__(self, seconds):
        self.seconds, self.now, self.made = seconds, 0.0, 0

    def __call__(self):
        self.now += self.seconds
        self.made += 1
        return self.made

    def timer(self):
        return self.now


def kept_until(making, seconds):
    """The moments, after the first was made, at which the same and another one is given."""
    recent = Recent(making, seconds=seconds, timer=making.timer)

    async def visits():
        await recent.get()
        made_at = making.now
        while await recent.get() == 1:
            making.now += 0.5
        return making.now - making.seconds - made_at

    return asyncio.run(visits())


def test_for_as_long_as_it_may_be_old():
    assert kept_until(Making(0.125), seconds=2) == 2.0


def test_for_longer_if_it_took_long_to_make():
    assert kept_until(Making(1.0), seconds=2) == REST * 1.0


def test_never_where_nothing_may_be_old():
    assert kept_until(Making(1.0), seconds=0) == 0.0


def test_all_who_ask_at_once_get_the_same():
    making = Making(1.0)

    async def visits():
        recent = Recent(making, seconds=2, timer=making.timer)
        return await asyncio.gather(*(recent.get() for _ in range(20)))

    assert asyncio.run(visits()) == [1] * 20
