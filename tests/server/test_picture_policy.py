"""What a browser lets pictures and framed charts do, and other sites with them."""

from datacomp_server.kit.middleware import CONTENT_SECURITY_POLICY, PICTURE_POLICY, _protect


def headers_for(media_type, path="/b/tiny"):
    start = {"headers": [(b"content-type", media_type), (b"content-security-policy", b"none")]}
    _protect(start, path)
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names))
    return {name.decode(): value.decode() for name, value in start["headers"]}


def policy_for(*asked):
    return headers_for(*asked)["content-security-policy"]


def test_an_svg_may_have_a_sheet_and_nothing_else():
    assert policy_for(b"image/svg+xml") == PICTURE_POLICY
    assert "script" not in PICTURE_POLICY


def test_everything_else_has_the_policy_of_the_site():
    assert policy_for(b"text/html; charset=utf-8") == CONTENT_SECURITY_POLICY
    assert headers_for(b"text/html")["cross-origin-resource-policy"] == "same-origin"


def test_other_sites_may_show_pictures():
    for media_type in (b"image/svg+xml", b"image/png"):
        assert headers_for(media_type)["cross-origin-resource-policy"] == "cross-origin"


def test_other_sites_may_frame_what_is_made_for_it_and_only_that():
    html = b"text/html; charset=utf-8"

    assert policy_for(html, "/embed/b/tiny/share").endswith("frame-ancestors *")
    assert "script-src 'self'" in policy_for(html, "/embed/b/tiny/share")
    assert policy_for(html, "/embedded").endswith("frame-ancestors 'none'")
