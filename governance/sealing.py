"""How are secrets kept that must be read again, such as those that sign messages?

Encrypted with a key that only this installation has: a copy of the database alone does
not give them away. What need not be read again is kept as a hash instead
(``governance.keys``).
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """Sealed with a key that is neither SECRET_KEY nor one of its fallbacks."""


def seal(secret: str, purpose: str) -> str:
    """Return the secret encrypted. Only the same purpose opens it again.

    ``purpose`` names what it is for (``webhook``), so that what was sealed for one
    thing cannot be passed off as another.
    """
    return _box(purpose).encrypt(secret.encode()).decode()


def unseal(sealed: str, purpose: str) -> str:
    """Return the secret, or raise ``Unreadable``."""
    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable(
            "It was sealed with another SECRET_KEY, or was changed since."
        ) from None


def _box(purpose: str) -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([_fernet(str(key), purpose) for key in keys])


@lru_cache(maxsize=64)
def _fernet(key: str, purpose: str) -> Fernet:
    """Derive a key of its own for each purpose (RFC 5869)."""
    info = f"countersign/sealed/v1/{purpose}".encode()
    derived = HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
