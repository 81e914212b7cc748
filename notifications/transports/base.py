"""What is a way to reach people? Something that sends a message or says why not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One of several requests that a message is about: one line each."""

    summary: str
    known: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person.

    Every text in it is readable: nothing hides, and what is one line is one line. It
    is not escaped: each medium has its own markup, and its transport knows it.
    """

    # The reader's address on the channel.
    to: str
    # Stays the same when the message has to be sent again.
    id: str
    # The same for everything about one request.
    thread: str
    # One line, the same for everything about one request but for a "Re:".
    title: str
    # What happened, to what: one line each.
    headline: str
    summary: str
    # Ours: what it means for the reader.
    body: str
    # The link, the only one but for those of a digest. It opens the console and
    # decides nothing.
    url: str
    facts: tuple[tuple[str, str], ...]
    why: tuple[str, ...]
    # What would run, complete, or a sentence that says where to read it. Empty for
    # what is about no request.
    parameters: str
    # The agent's own, which nobody has verified.
    words: str
    context: str
    # What the link is for, before it and on it.
    invitation: str = "Read it and decide here (login required):"
    verb: str = "Open the request"
    # What can be answered from the message itself, on channels that can: the request,
    # and the digest of exactly what it shows. Empty: nothing.
    request: str = ""
    digest: str = ""
    # Why it has to be decided on its own page all the same: something in it may deceive,
    # say, or not all of it is here. Known for channels that can take answers.
    obstacle: str = ""
    # All that a text says, where somebody has worded it. Empty: as usual.
    short: str = ""
    # The requests that a digest is about, each with its own page.
    items: tuple[Item, ...] = ()
    # Whether it says how things ended: nothing is to be decided any more.
    settled: bool = False


class DeliveryError(Exception):
    """Sending failed. A permanent failure is not worth retrying.

    ``wait`` is how many seconds the provider asked to be left alone, if it did.
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, wait: float = 0
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.wait = wait


class Transport(ABC):
    """A way to reach people.

    Subclasses are frozen dataclasses: their fields are the channel's settings, and
    send is the only thing they do. They never see the database, and several threads
    use them at once.
    """

    @abstractmethod
    def send(self, message: Message) -> str:
        """Deliver the message, or raise DeliveryError.

        Return what the provider calls it, if anything can be done with it later.
        """

    def edit(self, reference: str, message: Message) -> None:
        """Let a message that was sent say this instead, or raise DeliveryError."""
        raise DeliveryError("This channel cannot change a message.", permanent=True)
