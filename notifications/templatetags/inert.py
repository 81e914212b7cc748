"""How does a text stay a text in a mail? Programs that show mails love to add links."""

from __future__ import annotations

import re

from django import template

register = template.Library()

# Where a program looks for addresses: before the slashes, the dot, the at sign.
_JOINTS = re.compile(r"(?<=:)(?=//)|(?<=\w)(?=\.\w)|(?<=\w)(?=@)")
_SCHEME = re.compile(r"://")
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")


@register.filter
def pieces(text: str) -> list[str]:
    """Cut a text where a program would find an address in it.

    In HTML, a place to break the line goes between the pieces: nobody sees it, and
    what looked for ``https://evil.example`` does not find it.
    """
    return _JOINTS.split(text)


@register.filter
def bracketed(text: str) -> str:
    """Spell addresses so that plain text shows them and nothing links them."""
    return _DOT.sub("[.]", _SCHEME.sub("[:]//", text))


@register.filter
def quoted(text: str, mark: str = "> ") -> str:
    """Put a mark before every line: whoever wrote it cannot step out of the quote."""
    return "\n".join(f"{mark}{line}" for line in text.split("\n"))
