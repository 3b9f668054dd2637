"""The parts that need no server: reasons, blurring, what is told to Weights & Biases."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.pool.download import ImageOptions
from datacomp.pool.download.blur import FaceBlurrer
from datacomp.pool.download.statuses import group, reason
from datacomp.pool.download.tracking import Tracker


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("HTTP Error 404: Not Found", "not found (404, 410)"),
        ("HTTP Error 410: Gone", "not found (404, 410)"),
        ("HTTP Error 403: Forbidden", "forbidden (401, 403)"),
        ("HTTP Error 429: Too Many Requests", "too many requests (429)"),
        ("HTTP Error 406: Not Acceptable", "other refusal (4xx)"),
        ("HTTP Error 503: Service Unavailable", "server error (5xx)"),
        ("HTTP Error 308: Permanent Redirect", "other HTTP answer"),
        (
            "HTTP Error 302: The HTTP server returned a redirect error that would lead to an "
            "infinite loop.\nThe last 30x error message was:\nFound",
            "redirect loop",
        ),
        ("timed out", "timeout"),
        ("<urlopen error timed out>", "timeout"),
        ("<urlopen error _ssl.c:990: The handshake operation timed out>", "timeout"),
        (
            "<urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
            "certificate has expired (_ssl.c:1006)>",
            "certificate or TLS",
        ),
        ("<urlopen error [Errno -2] Name or service not known>", "host not found"),
        ("<urlopen error [Errno -3] Temporary failure in name resolution>", "host not found"),
        ("<urlopen error [Errno 111] Connection refused>", "no connection"),
        ("[Errno 104] Connection reset by peer", "no connection"),
        ("Remote end closed connection without response", "no connection"),
        ("<urlopen error [Errno 113] No route to host>", "no connection"),
        ("IncompleteRead(499 bytes read, 499 more expected)", "truncated"),
        ("Image decoding error", "not an image"),
        ("Use of image disallowed by X-Robots-Tag directive", "opted out (X-Robots-Tag)"),
        ("unknown url type: 'foo'", "impossible address"),
        ("'ascii' codec can't encode character '\\xe9' in position 5", "impossible address"),
        ("URL can't contain control characters. '/a b'", "impossible address"),
        ("something new", "other"),
    ],
)
def test_a_message_has_a_reason(message, expected):
    assert reason(message) == expected


def test_reasons_add_up_and_successes_are_none():
    statuses = {"success": 5, "HTTP Error 404: Not Found": 2, "HTTP Error 410: Gone": 1, "?": 4}
    assert group(statuses) == {"not found (404, 410)": 3, "other": 4}


@pytest.mark.parametrize("shape", [(40, 60, 3), (40, 60)])
def test_blurring_changes_the_box_and_leaves_the_rest(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    blurred = FaceBlurrer()(picture, [[0.1, 0.1, 0.3, 0.5]])
    assert (blurred.shape, blurred.dtype) == (shape, np.uint8)
    assert blurred[8:18, 8:16].std() < picture[8:18, 8:16].std() / 2
    assert np.abs(blurred[:, 40:].astype(int) - picture[:, 40:]).max() <= 1


@pytest.mark.parametrize("boxes", [[], [[0.5, 0.5, 0.5, 0.5]]])
def test_without_a_face_a_picture_stays_as_it_is(boxes):
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert (FaceBlurrer()(picture, boxes) == picture).all()


def test_boxes_beyond_the_edge_are_cut_off():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    blurred = FaceBlurrer()(picture, [[-0.2, -0.2, 1.2, 1.2]])
    assert blurred[10:30, 10:30].std() < picture[10:30, 10:30].std() / 2


@pytest.mark.parametrize(
    "options", [{"resize_mode": "big"}, {"encode_format": "gif"}, {"output_format": "zip"}]
)
def test_an_option_that_is_not_there_is_refused(options):
    with pytest.raises(UsageError, match="there are:"):
        ImageOptions(**options)


def test_weights_and_biases_get_the_rates_of_a_shard_and_of_all(monkeypatch):
    said = []
    run = SimpleNamespace(log=said.append, finish=lambda: said.append("end"))
    began = []
    fake = SimpleNamespace(init=lambda **words: began.append(words) or run)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    tracker = Tracker("mine", {"image_size": 512})
    stats = {"count": 8, "successes": 6, "failed_to_download": 1, "failed_to_resize": 1}
    tracker.shard(stats | {"duration": 2.0})
    tracker.close()
    assert began == [{"project": "mine", "config": {"image_size": 512}}]
    assert said[0]["worker/img_per_sec"] == 4
    assert (said[0]["total/success"], said[0]["total/count"]) == (0.75, 8)
    assert said[-1] == "end"


def test_without_a_project_nothing_of_it_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    tracker = Tracker(None, {})
    tracker.shard({})
    tracker.close()
