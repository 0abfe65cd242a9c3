"""The files of the pages: read once, sent with their hash, under a strict Content-Security-Policy."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
"""Content-Security-Policy: nothing from elsewhere, nothing inline."""

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
"""That of a sealed report: one page without scripts, whose styles are inside."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked for again each time, and sent again only if the hash differs
}


@dataclass(frozen=True)
class PageFile:
    """One file, its hash as an ETag, and its media type."""

    content: bytes
    etag: str
    media_type: str

    def response(self, request: Request) -> Response:
        """The file, or 304 if the client has it."""
        headers = {**_HEADERS, "ETag": self.etag}
        if self.etag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def page_files(folder: Path = FOLDER) -> Mapping[str, PageFile]:
    """Every file in `folder`, by its path in it. Raises OSError."""
    return {
        str(path.relative_to(folder)): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, f'"{hashlib.sha256(content).hexdigest()[:20]}"', _TYPES[path.suffix])
