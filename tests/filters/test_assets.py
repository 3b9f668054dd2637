"""Assets: where they are found, what is verified, and fetching from a server that misbehaves."""

import fcntl
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from datacomp.errors import FilterError, UnknownNameError
from datacomp.filtering import filter_class, filter_from_words, filter_spec
from datacomp.filtering.assets import RELEASES, Release, RemoteFile, find_assets, folders
from datacomp.filtering.fetch import ATTEMPTS, fetch

DATA = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves DATA; `plan` says how to answer each request in turn, the last one for the rest."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan = ["whole"]
        self.ranges = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path="/file.bin"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        plan = self.server.plan
        how = plan.pop(0) if len(plan) > 1 else plan[0]
        if how in ("404", "503", "416"):
            return self.answer(int(how), b"no")
        if how == "redirect":
            return self.answer(302, b"", Location="/elsewhere")
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if how == "deaf" or not asked:
            return self.answer(200, DATA, cut=how == "cut")
        if how == "shifted":
            start -= 7
        span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        return self.answer(206, DATA[start:], cut=how == "cut", Content_Range=span)

    def answer(self, status, body, cut=False, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


@pytest.fixture
def server():
    with Server() as server:
        yield server
        server.shutdown()


@pytest.fixture
def release(server, monkeypatch):
    made = Release("thing", "a thing", ("nobody",), "free", (), 1.05)
    monkeypatch.setitem(RELEASES, "thing", made)

    def of(digest=DIGEST):
        files = (RemoteFile("file.bin", server.url(), digest),)
        RELEASES["thing"] = Release("thing", "a thing", ("nobody",), "free", files, 1.05)
        return RELEASES["thing"]

    return of


class Pauses(list):
    def __call__(self, seconds):
        self.append(seconds)


def leftovers():
    folder = folders()[-1]
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize(
    ("plan", "ranges"),
    [
        (["whole"], [None]),
        (["redirect", "whole"], [None, None]),
        (["503", "whole"], [None, None]),
        (["cut", "whole"], [None, f"bytes={len(DATA) // 2}-"]),
        (["cut", "deaf"], [None, f"bytes={len(DATA) // 2}-"]),
        (["cut", "shifted", "whole"], [None, f"bytes={len(DATA) // 2}-", None]),
    ],
)
def test_a_file_arrives_whole_however_the_server_behaves(server, release, plan, ranges):
    server.plan = plan
    pauses = Pauses()
    (path,) = fetch(release(), wait=pauses)
    assert path.read_bytes() == DATA
    assert server.ranges == ranges
    assert leftovers() == ["file.bin"]
    assert pauses == sorted(pauses)


def test_what_is_here_is_not_fetched_again(server, release):
    fetch(release())
    fetch(release())
    assert len(server.ranges) == 1


def test_what_is_here_with_another_content_is_replaced(server, release):
    (path,) = fetch(release())
    path.write_bytes(b"damaged")
    assert fetch(release())[0].read_bytes() == DATA


def test_a_transfer_that_keeps_breaking_is_taken_up_by_the_next_call(server, release):
    server.plan = ["cut"] * ATTEMPTS + ["whole"]
    with pytest.raises(FilterError, match=rf"in {ATTEMPTS} attempts.*the same command goes on"):
        fetch(release(), wait=Pauses())
    (path,) = fetch(release(), wait=Pauses())
    assert path.read_bytes() == DATA
    assert server.ranges[-1].startswith("bytes=")


def test_wrong_bytes_are_not_kept(server, release):
    with pytest.raises(FilterError, match=rf"sha256 {DIGEST}, expected {'0' * 64}"):
        fetch(release("0" * 64))
    assert leftovers() == []


def test_a_file_that_is_gone_says_what_to_do(server, release):
    server.plan = ["404"]
    with pytest.raises(FilterError, match=r"answered 404 Not Found.*by hand as file\.bin"):
        fetch(release())


def test_a_server_that_is_not_there_is_asked_once(server, release):
    wanted, pauses = release(), Pauses()
    server.shutdown()
    server.server_close()
    with pytest.raises(FilterError, match=r"cannot be reached.*copy the file from elsewhere"):
        fetch(wanted, wait=pauses)
    assert pauses == []


def test_a_partial_file_longer_than_the_file_is_thrown_away(server, release):
    server.plan = ["cut"]
    with pytest.raises(FilterError):
        fetch(release(), wait=Pauses())
    (folders()[-1] / ".file.bin.part").write_bytes(DATA + b"more")
    server.plan = ["416"]
    with pytest.raises(FilterError, match="Nothing was kept"):
        fetch(release(), wait=Pauses())
    server.plan = ["whole"]
    assert fetch(release())[0].read_bytes() == DATA


def test_two_processes_do_not_write_the_same_file(server, release):
    part = folders()[-1] / ".file.bin.part"
    part.parent.mkdir(parents=True)
    with part.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FilterError, match="another process is fetching"):
            fetch(release())


def test_a_given_path_comes_first_then_the_named_folder_then_the_cache(
    server, release, tmp_path, monkeypatch
):
    (cached,) = fetch(release())
    assert find_assets("thing", None, "thing")[0].path == cached
    named = tmp_path / "named"
    named.mkdir()
    (named / "file.bin").write_bytes(DATA)
    monkeypatch.setenv("DATACOMP_ASSETS", str(named))
    assert find_assets("thing", None, "thing")[0].path == named / "file.bin"
    given = tmp_path / "mine.bin"
    given.write_bytes(b"mine")
    (asset,) = find_assets("thing", str(given), "thing")
    assert (asset.path, asset.sha256()) == (given, hashlib.sha256(b"mine").hexdigest())


def test_a_file_found_by_its_name_must_have_the_released_content(release, tmp_path, monkeypatch):
    release()
    (tmp_path / "file.bin").write_bytes(b"other")
    monkeypatch.setenv("DATACOMP_ASSETS", str(tmp_path))
    (asset,) = find_assets("thing", None, "thing")
    with pytest.raises(FilterError, match=r"not the released asset 'thing'.*assets fetch thing"):
        asset.sha256()


def test_a_hash_follows_the_file(tmp_path, release):
    release()
    path = tmp_path / "mine.bin"
    for content in (b"one", b"other"):
        path.write_bytes(content)
        (asset,) = find_assets("thing", str(path), "thing")
        assert asset.sha256() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("words", "asset", "parameter"),
    [
        ("text_based", "wordnet", "wordnet"),
        ("image_based scale=medium", "medium_centroids", "centroids"),
        ("basic_filter language_model=lid.176.bin", "lid.176.bin", "language_model"),
    ],
)
def test_a_missing_asset_says_how_to_get_it(words, asset, parameter):
    name, *given = words.split()
    chosen = filter_from_words(filter_class(name), given)
    with pytest.raises(FilterError) as error:
        filter_spec(chosen)
    for fact in (
        f"datacomp assets fetch {asset} (",
        " MB)",
        f"{parameter}=PATH",
        "DATACOMP_ASSETS",
    ):
        assert fact in str(error.value)


def test_a_given_path_that_is_not_there_is_named():
    with pytest.raises(FilterError, match=r"not at /gone\.txt, where ids=/gone\.txt says"):
        find_assets("imagenet21k_wordnet_ids", "/gone.txt", "ids")


def test_a_relative_path_is_found_from_another_folder_too(tmp_path, monkeypatch):
    (tmp_path / "mine.ftz").write_bytes(b"model")
    monkeypatch.chdir(tmp_path)
    kind = filter_class("basic_filter")
    chosen = filter_from_words(kind, ["language_model=mine.ftz"])
    assert chosen.language_model == str(tmp_path / "mine.ftz")
    assert filter_from_words(kind, ["language_model=gone.ftz"]).language_model == "gone.ftz"


def test_several_files_may_be_given_as_their_folder(tmp_path):
    names = [file.file for file in RELEASES["in1k_clip_vit_l14"].files]
    for name in names[:-1]:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(FilterError, match=names[-1]):
        find_assets("in1k_clip_vit_l14", str(tmp_path), "target")
    (tmp_path / names[-1]).write_bytes(b"x")
    found = find_assets("in1k_clip_vit_l14", str(tmp_path), "target")
    assert [asset.path.name for asset in found] == names
    assert len({asset.name for asset in found}) == 5


def test_an_unknown_asset_has_a_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'small_centroids'"):
        find_assets("small_centroid", None, "x")


def test_every_declared_file_has_a_hash_a_place_and_a_user():
    for release in RELEASES.values():
        assert release.needed_by
        assert release.licence
        for file in release.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
            assert file.url.startswith("https://")
            assert file.url.endswith(file.file)
