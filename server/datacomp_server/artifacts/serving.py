"""Artifacts as answers: byte for byte, whole or the range that was asked for."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse

from datacomp_server.artifacts.store import ArtifactStore

PIECE_BYTES = 256 * 1024
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
"""How the API's description calls such an answer."""
_RANGE = re.compile(r"bytes=(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))", re.ASCII)


def artifact_response(
    store: ArtifactStore,
    sha256: str,
    *,
    filename: str,
    media_type: str = "application/octet-stream",
    range_header: str | None = None,
) -> Response:
    """Content as a file to save. One range of bytes is served (206); other forms get the whole.

    416 if the range begins behind the end. `NotFound` if the content is not here.
    """
    size = store.size(sha256)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{filename}"',
        "ETag": f'"{sha256}"',
    }
    start, stop = _range(range_header, size)
    if start >= stop:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(stop - start)
    status = 200
    if (start, stop) != (0, size):
        status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
    pieces = _pieces(store.open(sha256), start, stop)
    return StreamingResponse(pieces, status, headers=headers, media_type=media_type)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """First byte and the one behind the last; the same twice if none of them is there."""
    asked = _RANGE.fullmatch(header.strip()) if header else None
    if asked is None:
        return 0, size
    first, last, suffix = asked.groups()
    if suffix is not None:
        return max(size - int(suffix), 0), size
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return 0, size  # no range at all, by RFC 9110 to be ignored
    return min(int(first), size), stop


def _pieces(file: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < stop and (piece := file.read(min(PIECE_BYTES, stop - start))):
            start += len(piece)
            yield piece
