"""The queue, which many look at: kept for a moment, and said in few words if nothing changed."""

import pytest

PATHS = ("/queue", "/api/v1/queue")


@pytest.mark.parametrize("path", PATHS)
def test_unchanged_within_the_moment(make_service, path):
    service = make_service(board_seconds=3600)
    first = service.http.get(path)

    again = service.http.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert service.http.get(path).content == first.content
