"""How is a body read? As strict JSON, whatever the caller calls it.

The order is: size, content type, bytes, JSON. (Authentication comes between size and
content type, in the view.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.message import Message
from typing import IO, Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from governance import strict_json
from governance.errors import Refused


class UnsupportedBody(Refused):
    code = "json_required"
    status = 415


class AlwaysJSON(BaseContentNegotiation):
    """Answers in JSON whatever the caller asks for, and lets one parser try."""

    def select_parser(
        self, request: Request, parsers: Iterable[BaseParser]
    ) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or "application/json"


class StrictJSON(BaseParser):
    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        raw = stream.read(strict_json.MAX_BODY_BYTES + 1)
        strict_json.check_size(len(raw))
        return strict_json.loads(raw)


def check_size(request: Request) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    strict_json.check_size(int(length) if length.isdigit() else 0)


def check_content_type(request: Request) -> None:
    """Refuse what is not plain JSON in UTF-8, before a byte of it is read."""
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedBody("Send the body uncompressed.", code="content_encoding")
    header = Message()
    header["Content-Type"] = request.META.get("CONTENT_TYPE") or "none/none"
    if header.get_content_type() != "application/json":
        raise UnsupportedBody("Send JSON, with Content-Type: application/json.")
    charset = header.get_content_charset("utf-8")
    if charset not in ("utf-8", "utf8"):
        raise UnsupportedBody("Send the body in UTF-8.", code="charset")
