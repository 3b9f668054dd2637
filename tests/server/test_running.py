"""The service as a process: it starts, answers, stops, and carries no training code."""

import socket
import subprocess
import sys

import httpx
import pytest

from datacomp.errors import ServiceError
from datacomp_server import Settings, run_in_thread
from datacomp_server.running import _bound
from support.processes import BOUND_SECONDS


@pytest.fixture
def settings(tmp_path, make_database_url):
    return Settings(data_dir=tmp_path, database_url=make_database_url())


def test_answers_in_a_thread_and_stops(settings):
    with run_in_thread(settings) as running:
        assert httpx.get(running.url + "/", timeout=BOUND_SECONDS).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.url + "/")
    assert not running.thread.is_alive()


def test_no_answer_waits_for_a_reader_who_waits_for_more():
    with _bound("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_named(tmp_path):
    with run_in_thread(Settings(data_dir=tmp_path / "a")) as running:
        port = int(running.url.rsplit(":", 1)[1])
        with (
            pytest.raises(ServiceError, match=f"127.0.0.1:{port}"),
            run_in_thread(Settings(data_dir=tmp_path / "b"), port=port),
        ):
            pass


def test_the_server_process_loads_no_torch(settings):
    code = (
        "import sys, httpx\n"
        "from datacomp_server import Settings, run_in_thread\n"
        f"facts = dict(data_dir={str(settings.data_dir)!r}, database_url={settings.url!r})\n"
        "with run_in_thread(Settings(**facts)) as running:\n"
        "    httpx.get(running.url + '/b/tiny').raise_for_status()\n"
        "heavy = {'torch', 'open_clip', 'sklearn', 'pyarrow', 'datacomp.training'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", "sqlite:////tmp/other.sqlite")

    assert Settings().url == "sqlite:////tmp/other.sqlite"
