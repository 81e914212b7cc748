"""Secrets that must be read again are of no use without the installation's key."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from governance.sealing import Unreadable, seal, unseal


def test_it_comes_back_as_it_was() -> None:
    sealed = seal("whsec_äöü", "webhook")

    assert "whsec" not in sealed
    assert unseal(sealed, "webhook") == "whsec_äöü"


def test_the_same_secret_never_looks_the_same() -> None:
    assert seal("secret", "webhook") != seal("secret", "webhook")


def test_another_purpose_does_not_open_it() -> None:
    with pytest.raises(Unreadable):
        unseal(seal("secret", "webhook"), "sms")


@pytest.mark.parametrize("place", [0, 12, 40, -3])
def test_a_change_is_noticed(place: int) -> None:
    sealed = bytearray(seal("secret", "webhook"), "ascii")
    sealed[place] ^= 1

    with pytest.raises(Unreadable):
        unseal(sealed.decode("latin-1"), "webhook")


@pytest.mark.parametrize("text", ["", "secret", "gAAAAA", "\0", "é"])
def test_what_was_never_sealed_is_not_opened(text: str) -> None:
    with pytest.raises(Unreadable):
        unseal(text, "webhook")


def test_an_earlier_key_opens_it_for_as_long_as_it_is_named(settings: Settings) -> None:
    sealed = seal("secret", "webhook")
    before, settings.SECRET_KEY = (
        settings.SECRET_KEY,
        "another key, 50 characters or more",
    )
    with pytest.raises(Unreadable):
        unseal(sealed, "webhook")

    settings.SECRET_KEY_FALLBACKS = [before]
    assert unseal(sealed, "webhook") == "secret"
