"""Any of Apprise's services: Teams, Discord, ntfy, PagerDuty and a hundred more.

Their addresses hold secrets and can point anywhere, so they stand in the settings,
``APPRISE_URLS``, under names; the console knows the names only.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from notifications.transports.base import DeliveryError, Message, Transport
from notifications.transports.short import line


@dataclass(frozen=True)
class Other(Transport):
    """One line and the link. What an agent wrote stays out: each service has markup."""

    def send(self, message: Message) -> str:
        from apprise import Apprise, NotifyFormat

        address = settings.APPRISE_URLS.get(message.to)
        service = Apprise()
        if not address or not service.add(address):
            # Whoever looks after the settings can mend it.
            raise DeliveryError(f"APPRISE_URLS has no service {message.to} that works.")
        if not service.notify(
            title=message.headline,
            body=f"{line(message)}.\n{message.url}",
            body_format=NotifyFormat.TEXT,
        ):
            raise DeliveryError("The service did not take it.")
        return ""
