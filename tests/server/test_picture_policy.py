"""What a browser lets a picture do that is opened by itself."""

from datacomp_server.kit.middleware import CONTENT_SECURITY_POLICY, PICTURE_POLICY, _protect


def policy_for(media_type):
    start = {"headers": [(b"content-type", media_type), (b"content-security-policy", b"none")]}
    _protect(start)
    return [
        value.decode() for name, value in start["headers"] if name == b"content-security-policy"
    ]


def test_an_svg_may_have_a_sheet_and_nothing_else():
    assert policy_for(b"image/svg+xml") == [PICTURE_POLICY]
    assert "script" not in PICTURE_POLICY


def test_everything_else_has_the_policy_of_the_site():
    assert policy_for(b"text/html; charset=utf-8") == [CONTENT_SECURITY_POLICY]
