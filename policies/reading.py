"""Which smaller conditions is a condition made of? Cut at ``&&``, ``||``, ``!`` and ``?``.

Each part is again a condition, in the author's own letters: whoever explains evaluates
it by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# A text with its quotes, a comment, or one of the signs that matter here.
_TOKEN = re.compile(
    r'[rRbB]{0,2}("""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\''
    r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
    r"|//[^\n]*|\.\?|\[\?|&&|\|\||==|!=|<=|>=|\bin\b|[()\[\]{}?:!<>,]",
    re.DOTALL,
)
_OPEN, _CLOSE = "([{", ")]}"
RELATIONS = ("==", "!=", "<=", ">=", "<", ">", "in")


@dataclass(frozen=True, slots=True)
class Cut:
    """How a condition is put together. Without parts it is one that cannot be cut."""

    source: str
    operator: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sign:
    text: str
    start: int
    end: int


def cut(source: str) -> Cut:
    """Cut a condition at its weakest operator: ``?``, then ``||``, ``&&`` and ``!``."""
    source = bare(source)
    signs = _outside(source)
    if chosen := _choice(source, signs):
        return chosen
    for operator in ("||", "&&"):
        if found := [sign for sign in signs if sign.text == operator]:
            return Cut(source, operator, _between(source, found))
    if source.startswith("!") and not _relation(signs):
        return Cut(source, "!", (bare(source[1:]),))
    return Cut(source)


def compared(source: str) -> tuple[str, str, str] | None:
    """Return left side, relation and right side, if it is a comparison."""
    source = bare(source)
    sign = _relation(_outside(source))
    if sign is None:
        return None
    return source[: sign.start].strip(), sign.text, source[sign.end :].strip()


def bare(source: str) -> str:
    """Leave out blanks, comments and brackets around the whole."""
    source = _without_comments(source).strip()
    while source.startswith("(") and _closing(source) == len(source) - 1:
        source = source[1:-1].strip()
    return source


def _without_comments(source: str) -> str:
    return _TOKEN.sub(
        lambda found: "" if found[0].startswith("//") else found[0], source
    )


def _closing(source: str) -> int:
    """Return where the bracket closes that the source begins with."""
    depth = 0
    for found in _TOKEN.finditer(source):
        depth += _turn(found[0])
        if depth == 0:
            return found.start()
    return -1


def _turn(sign: str) -> int:
    if sign in ("[?", *_OPEN):
        return 1
    return -1 if sign in tuple(_CLOSE) else 0


def _outside(source: str) -> list[_Sign]:
    """Return the signs that stand in no bracket and no text."""
    depth, found = 0, []
    for token in _TOKEN.finditer(source):
        turn = _turn(token[0])
        depth += turn
        if depth == 0 and not turn and token[1] is None:
            found.append(_Sign(token[0], token.start(), token.end()))
    return found


def _choice(source: str, signs: Sequence[_Sign]) -> Cut | None:
    """Cut ``a ? b : c``, where c may be a choice again."""
    first = next((i for i, sign in enumerate(signs) if sign.text == "?"), None)
    if first is None:
        return None
    depth = 0
    for sign in signs[first:]:
        depth += {"?": 1, ":": -1}.get(sign.text, 0)
        if depth == 0:
            places = [signs[first], sign]
            return Cut(source, "?", _between(source, places))
    return None


def _between(source: str, signs: Sequence[_Sign]) -> tuple[str, ...]:
    begins = [0, *(sign.end for sign in signs)]
    ends = [*(sign.start for sign in signs), len(source)]
    return tuple(bare(source[a:b]) for a, b in zip(begins, ends, strict=True))


def _relation(signs: Sequence[_Sign]) -> _Sign | None:
    return next((sign for sign in signs if sign.text in RELATIONS), None)
