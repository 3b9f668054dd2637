"""Logs of attempts: what comes in by offset is what is read; the limit is told."""

import dataclasses

import pytest

from datacomp_server.jobs import logs
from datacomp_server.kit.errors import Conflict, NotFound


@pytest.fixture
def log(queue):
    """`log.write(offset, data)`, `log.read(offset)` of a job whose logs end at 20 bytes."""
    policy = dataclasses.replace(queue.policy, max_log_bytes=20)
    job = queue.add()
    lease = queue.claim()

    class Log:
        job_id = job

        def write(self, offset, data):
            with queue.context.database.writing() as session:
                return logs.append(session, policy, lease.id, offset, data, moment=queue.clock())

        def read(self, offset=0, **which):
            with queue.context.database.reading() as session:
                return logs.read(session, policy, queue.job(job), offset, **which)

        def finish(self, fault=None):
            queue.finish(lease.id, fault)

    return Log()


def test_nothing_yet(log):
    page = log.read()

    assert (page.text, page.next_offset, page.ended, page.attempt) == ("", 0, False, 1)


def test_of_a_job_that_has_not_begun(queue):
    job = queue.job(queue.add())

    with (
        pytest.raises(NotFound, match="has not begun"),
        queue.context.database.reading() as session,
    ):
        logs.read(session, queue.policy, job, 0)


def test_from_any_offset(log):
    log.write(0, b"one\n")
    log.write(4, b"two\n")

    assert log.read().text == "one\ntwo\n"
    assert (log.read(2).text, log.read(2).next_offset) == ("e\ntwo\n", 8)
    assert log.read(8).text == ""


def test_steering_characters_are_shown_as_marks(log):
    log.write(0, b"a\x1b[2Jb")

    assert log.read().text == "a\ufffd[2Jb"


def test_pages_do_not_split_a_character(log, monkeypatch):
    monkeypatch.setattr(logs, "PAGE_BYTES", 4)
    log.write(0, "abcéx".encode())

    first = log.read()
    assert (first.text, first.next_offset) == ("abc", 3)
    assert log.read(first.next_offset).text == "éx"


def test_what_goes_over_the_limit_is_cut_and_the_writer_goes_on(log):
    assert log.write(0, b"0123456789") == 10
    assert not log.read().cut
    assert log.write(10, b"0123456789xyz") == 23
    assert log.write(23, b"more") == 27

    page = log.read()
    assert (page.cut, page.text) == (True, "0123456789" * 2)


def test_after_its_end_nothing_is_written(log):
    log.write(0, b"done")
    log.finish()

    assert log.read().ended
    with pytest.raises(Conflict, match="no longer holds"):
        log.write(4, b"late")


def test_of_an_earlier_attempt(log, queue):
    log.write(0, b"first")
    log.finish("infrastructure")
    queue.clock.pass_seconds(60)
    queue.claim("w2")

    assert log.read().text == ""
    assert log.read(attempt=1).text == "first"
    with pytest.raises(NotFound, match="no attempt 7"):
        log.read(attempt=7)
