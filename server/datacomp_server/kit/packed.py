"""Bodies that are made once and sent often: compressed, with an ETag that names their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

HTML, JSON, CSV = "text/html; charset=utf-8", "application/json", "text/csv; charset=utf-8"

UNCHANGED = {"description": "Unchanged since the ETag that If-None-Match names"}
"""What a route that answers so declares of 304."""


@dataclass(frozen=True)
class Packed:
    """A body, compressed once; `etag` names its content."""

    gzipped: bytes
    etag: str

    def body(self) -> bytes:
        """The body as it was."""
        return gzip.decompress(self.gzipped)


Forms = Mapping[str, Packed]
"""One thing by media type."""


def pack(texts: Mapping[str, str]) -> dict[str, Packed]:
    """Texts by media type, as bodies."""
    return {media_type: pack_bytes(text.encode()) for media_type, text in texts.items()}


def pack_bytes(data: bytes) -> Packed:
    """A body."""
    # weak: the same for the body and for its compressed form
    etag = f'W/"{hashlib.sha256(data).hexdigest()[:32]}"'
    return Packed(gzip.compress(data, 6, mtime=0), etag)


def answer(
    packed: Packed, media_type: str, asked: Mapping[bytes, bytes]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body for a request with the headers `asked`."""
    headers = [(b"etag", packed.etag.encode()), (b"vary", b"Accept-Encoding")]
    if packed.etag.encode() in asked.get(b"if-none-match", b""):
        return 304, headers, b""
    body = packed.gzipped
    if b"gzip" in asked.get(b"accept-encoding", b""):
        headers.append((b"content-encoding", b"gzip"))
    else:
        body = packed.body()
    headers.append((b"content-type", media_type.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    return 200, headers, body


def respond(request: Request, forms: Forms, media_type: str) -> Response:
    """The answer of a route."""
    status, headers, body = answer(forms[media_type], media_type, dict(request.headers.raw))
    response = Response(body, status)
    response.raw_headers = headers
    return response
