"""Which letters and digits may a reader take for others?

This follows the idea of Unicode's UTS 39 with rules and short tables of its own, so that
the answer does not hang on how old somebody's copy of the tables is. Look-alikes within
plain letters (``rn`` and ``m``, ``l`` and ``1``) are not noticed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_WORD = re.compile(r"[^\W\d_]+")
_FAR_EAST = {"CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH"}
_WRITTEN_TOGETHER = (
    {"LATIN", *_FAR_EAST},
    {"FULLWIDTH", "CJK", "HIRAGANA", "KATAKANA"},
    {"LATIN", "CJK", "BOPOMOFO"},
    {"LATIN", "CJK", "HANGUL"},
)
_OF_ANY_SCRIPT = {"MICRO", "FEMININE", "MASCULINE"}
_LETTERS = ("Lu", "Ll", "Lt", "Lo")
# Letters and numbers that are drawn as one: not what stands above the line, or in rings.
_DRAWN_PLAINLY = ("Lu", "Ll", "Lo", "Nd", "Nl")
_LOOKS_LATIN = {
    "CYRILLIC": set("аеорсухіјѕԁһӏԛԝѵүАВЕКМНОРСТУХІЈЅԌӀԚԜҮѴ"),
    "GREEK": set("ονιυαγσρϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ"),  # noqa: RUF001
    "ARMENIAN": set("աոսցքօզհգռՍՕՏ"),  # noqa: RUF001
    "CHEROKEE": set("ᎠᎡᎢᎥᎩᎪᎫᎬᎳᎷᎻᏀᏃᏎᏏᏒᏔᏕᏙᏚᏞᏟᏢᏦᏧᏮᏳᏴᎽᏂ"),  # noqa: RUF001
    "LISU": set("ꓐꓑꓒꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ"),  # noqa: RUF001
    "COPTIC": set("ⲎⲒⲔⲘⲚⲞⲟⲢⲣⲤⲥⲦⲨⲬ"),  # noqa: RUF001
}
# Latin, but for the signs of phoneticians: no language writes its words with them.
_PHONETIC = set("ɑɡɩɪʏᴄᴏᴜᴠᴡᴢꜱǀᴀᴅᴇᴊᴋᴍᴘᴛʙɢʜʟɴʀ")


def strangers(text: str) -> list[int]:
    """Return the places of letters and digits that look like others, in order.

    Letters of a second script within a word (``pаypal`` with a Cyrillic а), words whose
    only Cyrillic or Greek letters are ones that look Latin, styled letters of
    mathematics, and digits of another script where no letter is.
    """  # noqa: RUF002
    if text.isascii():
        return []
    return sorted({*_mixed(text), *_posing(text), *_styled(text), *_digits(text)})


def is_confusable(text: str) -> bool:
    """Whether a reader may take this text for another one."""
    return bool(strangers(text))


def _mixed(text: str) -> Iterator[int]:
    """Yield the letters of a word that are not of its first script, or not Latin."""
    for word in _WORD.finditer(text):
        scripts = [_script(char) for char in word[0]]
        used = set(scripts) - {None}
        if len(used) < 2 or any(used <= group for group in _WRITTEN_TOGETHER):
            continue
        own = "LATIN" if "LATIN" in used else next(filter(None, scripts))
        for offset, script in enumerate(scripts):
            if script not in (None, own):
                yield word.start() + offset


def _posing(text: str) -> Iterator[int]:
    """Yield the letters of a script of which the text has only those that look Latin."""
    places: dict[str, list[int]] = {}
    for place, char in enumerate(text):
        if not char.isascii() and (script := _script(char)):
            places.setdefault(script, []).append(place)
    for script, lookalikes in _LOOKS_LATIN.items():
        found = places.get(script, [])
        if all(text[place] in lookalikes for place in found):
            yield from found
    yield from (place for place, char in enumerate(text) if char in _PHONETIC)


def _styled(text: str) -> Iterator[int]:
    """Yield what stands for plain letters or digits: ``𝐩``, ``ｐ``, ``ⅰ``, ``ﬁ``."""  # noqa: RUF002
    far_east = {_script(char) for char in text} & _FAR_EAST
    for place, char in enumerate(text):
        if char.isascii() or unicodedata.category(char) not in _DRAWN_PLAINLY:
            continue
        name = unicodedata.name(char, "").split(" ")[0]
        if name in _OF_ANY_SCRIPT or (far_east and name == "FULLWIDTH"):
            continue
        plain = unicodedata.normalize("NFKC", char)
        if plain != char and plain.isascii() and plain.isalnum():
            yield place


def _digits(text: str) -> Iterator[int]:
    """Yield digits of another script in a text whose letters are all plain."""
    if any(char.isalpha() and not char.isascii() for char in text):
        return
    for place, char in enumerate(text):
        if char.isdecimal() and not char.isascii():
            yield place


def _script(char: str) -> str | None:
    """Guess a letter's script from its name, which starts with it for nearly all."""
    if unicodedata.category(char) not in _LETTERS:
        return None
    script = unicodedata.name(char, "UNKNOWN").split()[0]
    return None if script in _OF_ANY_SCRIPT else script
