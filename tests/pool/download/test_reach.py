"""What a crawl of strangers' addresses may reach. No name is looked up outside this machine."""

import socket
import urllib.request
from urllib.error import URLError

import pytest

from datacomp.errors import UsageError
from datacomp.pool.download.reach import Reach, guarded_opener

LOOPBACK = Reach(allowed=("127.0.0.0/8",))


def fetch(url, reach=LOOPBACK):
    with guarded_opener(reach).open(url, timeout=5) as answer:
        return answer.read()


@pytest.fixture
def names(monkeypatch):
    """`names[host] = [addresses]`: what looking a name up gives, in turn; the last one stays."""
    known, resolve = {}, socket.getaddrinfo

    def look_up(host, port, *rest, **options):
        answers = known.get(host)
        if answers is None:
            return resolve(host, port, *rest, **options)
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port),
            )
            for one in now
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1"),
        *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "203.0.113.9"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fec0::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::a9fe:a9fe"),
        *("64:ff9b:1::1", "2002:7f00:1::", "2001:0:1:2::1", "2001:db8::1"),
    ],
)
def test_what_is_not_public_is_not_reached(address):
    assert not Reach().allows(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_what_is_public_is(address):
    assert Reach().allows(address)


def test_a_network_that_is_allowed_is_and_no_other():
    assert LOOPBACK.allows("127.0.0.1")
    assert not LOOPBACK.allows("::1")
    assert not LOOPBACK.allows("10.0.0.1")
    with pytest.raises(UsageError, match=r"10\.1\.2\.0/24"):
        Reach(allowed=("localhost",))


def test_a_picture_comes_when_its_host_is_allowed(web, picture):
    assert fetch(f"{web.url}/ok/3.jpg") == picture(3)
    assert fetch(f"{web.url}/moved/3.jpg") == picture(3)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "0x7f.1", "2130706433"])
def test_a_host_of_this_machine_is_not_asked_by_any_spelling(web, host):
    port = web.url.rpartition(":")[2]
    with pytest.raises(URLError, match="not a public address"):
        fetch(f"http://{host}:{port}/ok/3.jpg", Reach())
    assert not web.asked


def test_one_private_address_among_public_ones_is_enough_to_refuse(names):
    names["two.test"] = [["8.8.8.8", "10.0.0.1"]]
    with pytest.raises(URLError, match=r"'two\.test' is at 10\.0\.0\.1"):
        fetch("http://two.test/ok/3.jpg", Reach())


def test_the_address_that_was_judged_is_the_one_that_is_asked(web, names, picture):
    port = web.url.rpartition(":")[2]
    names["turns.test"] = [["127.0.0.1"], ["127.0.0.2"]]  # another answer to who asks again
    assert fetch(f"http://turns.test:{port}/ok/3.jpg", Reach(allowed=("127.0.0.1/32",))) == picture(
        3
    )
    assert names["turns.test"] == [["127.0.0.2"]]


class Redirecting:
    """Sends everybody on to `to`."""

    to = url = ""

    def answer(self, request):
        request.send(b"", 302, Location=self.to)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("http://127.0.0.2:9/x", "not a public address"),
        ("http://169.254.169.254/latest/meta-data/", "not a public address"),
        ("http://[::1]:9/x", "not a public address"),
        ("https://10.0.0.1/x", "not a public address"),
        ("ftp://127.0.0.1/x", "unknown url type"),
        ("file:///etc/passwd", "not allowed"),
        ("gopher://127.0.0.1/x", "not allowed"),
    ],
)
def test_a_redirect_is_judged_like_the_first_address(serve, to, told):
    with serve(Redirecting()) as owner:
        owner.to = to
        with pytest.raises(URLError, match=told):
            fetch(owner.url, Reach(allowed=("127.0.0.1/32",)))


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_only_http_is_spoken(url):
    with pytest.raises(URLError, match="unknown url type"):
        fetch(url)


def test_no_proxy_of_the_environment_is_asked(web, picture, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetch(f"{web.url}/ok/3.jpg") == picture(3)


class Endless:
    """Answers that go on: `head` in the headers, `body` in the body."""

    url = ""

    def answer(self, request):
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        line = b"X-More: 1\r\n" if "head" in request.path else b"\r\n" + 4096 * b"x"
        try:
            while True:
                request.wfile.write(line)
        except OSError:
            request.close_connection = True


def test_an_answer_without_end_is_cut_off(serve):
    reach = Reach(allowed=("127.0.0.0/8",), max_bytes=100_000)
    with serve(Endless()) as owner, pytest.raises(OSError, match="larger than 100,000 bytes"):
        fetch(f"{owner.url}/body", reach)


def test_an_answer_that_drips_is_cut_off(web):
    """The time is up before the first byte is asked for: nothing depends on how fast this is."""
    with pytest.raises(OSError, match="timed out"):
        fetch(f"{web.url}/ok/3.jpg", Reach(allowed=("127.0.0.0/8",), max_seconds=0.0))


def test_what_urllib_does_elsewhere_stays_as_it_is(web, picture):
    fetch(f"{web.url}/ok/3.jpg")
    with urllib.request.urlopen(f"{web.url}/ok/4.jpg", timeout=5) as answer:
        assert answer.read() == picture(4)
