"""What is unsafe or wrong in this deployment?

Checks of settings run with ``manage.py check --deploy``, too; those that ask the
database or the broker only with ``manage.py doctor``. Each finding has an id and says
what to do. A check that finds nothing returns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from redis import Redis, RedisError

from approvals.models import BypassReview
from config import health
from governance import clock, guards, queue
from governance.models import Agent, Freeze, JobRun
from policies import rows
from policies.models import Policy, RuleSet

Check = Callable[[], Iterable[CheckMessage]]

LOCAL = {"localhost", "127.0.0.1", "::1"}
SQLITE = "django.db.backends.sqlite3"
MAX_SKEW = timedelta(seconds=2)
MAX_SILENCE = timedelta(minutes=1)
A_DAY = timedelta(days=1)


def debug() -> Iterator[CheckMessage]:
    """DEBUG is off"""
    if settings.DEBUG:
        yield Error(
            "DEBUG is on: every error page shows settings, code and data.",
            hint="Unset DEBUG.",
            id="countersign.E001",
        )


def secret_key() -> Iterator[CheckMessage]:
    """SECRET_KEY is long and our own"""
    key = settings.SECRET_KEY
    if len(key) < 50 or len(set(key)) < 10 or key.startswith("django-insecure-"):
        yield Error(
            "SECRET_KEY is short or a well-known default: sessions can be forged.",
            hint="Unset it, and one is made and kept in var/secret_key; or set 50 "
            "random characters or more.",
            id="countersign.E002",
        )


def hosts() -> Iterator[CheckMessage]:
    """ALLOWED_HOSTS names our hosts"""
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS lets in every Host header.",
            hint="Name the hosts people and agents use: ALLOWED_HOSTS=approvals.example.com",
            id="countersign.E003",
        )


def public_url() -> Iterator[CheckMessage]:
    """People reach the console over https"""
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme != "https" and url.hostname not in LOCAL:
        yield Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL}: passwords and keys travel in the open.",
            hint="Put a proxy with TLS in front; set PUBLIC_URL=https://… and "
            "BEHIND_PROXY=1.",
            id="countersign.E004",
        )


def mail() -> Iterator[CheckMessage]:
    """E-mail leaves this machine"""
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend in {"console", "dummy", "locmem", "filebased"}:
        yield Warning(
            f"E-mail goes to the {backend} backend: nobody is told by mail.",
            hint="Set EMAIL_URL=smtp+tls://user:password@mail.example.com:587",
            id="countersign.W005",
        )


def worker_setting() -> Iterator[CheckMessage]:
    """WORKER names a kind of worker"""
    if settings.WORKER not in {"q2", "celery"}:
        yield Error(
            f"WORKER is {settings.WORKER}: there is no such worker.",
            hint="Use q2 or celery.",
            id="countersign.E006",
        )


def sqlite() -> Iterator[CheckMessage]:
    """SQLite queues writers and survives a power cut"""
    if connection.vendor != "sqlite":
        return
    wanted = {"journal_mode": "wal", "synchronous": "2"}
    with connection.cursor() as cursor:
        for pragma, value in wanted.items():
            cursor.execute(f"PRAGMA {pragma}")
            (found,) = cursor.fetchone()
            if str(found) != value:
                yield _sqlite_fault(f"{pragma} is {found}, not {value}")
    mode = connection.settings_dict["OPTIONS"].get("transaction_mode")
    if mode != "IMMEDIATE":
        yield _sqlite_fault(f"transaction_mode is {mode}, not IMMEDIATE")


def _sqlite_fault(what: str) -> CheckMessage:
    return Error(
        f"SQLite's {what}: decisions may fail half-way or be lost in a power cut.",
        hint="Leave OPTIONS of the database as config/settings.py has them.",
        id="countersign.E007",
    )


def migrations() -> Iterator[CheckMessage]:
    """All migrations are applied"""
    if missing := health.unapplied():
        yield Error(
            f"The database lacks {missing} migrations.",
            hint="Run manage.py migrate.",
            id="countersign.E008",
        )


def triggers() -> Iterator[CheckMessage]:
    """The database refuses to change what is on record"""
    for fault in guards.faults(connection):
        yield Error(
            f"In the database {fault}.",
            hint="Find out who removed it. manage.py migrate puts it back.",
            id="countersign.E009",
        )


def clocks() -> Iterator[CheckMessage]:
    """The database's clock and ours agree"""
    before = datetime.now(UTC)
    theirs = clock.now()
    after = datetime.now(UTC)
    skew = max(before - theirs, theirs - after, timedelta(0))
    if skew > MAX_SKEW:
        yield Error(
            f"The database's clock differs by {skew.total_seconds():.0f} s from ours.",
            hint="Keep both machines on NTP: deadlines go by the database's clock.",
            id="countersign.E010",
        )


def workers() -> Iterator[CheckMessage]:
    """Workers run jobs"""
    last = JobRun.objects.filter(job=queue.HEARTBEAT).first()
    at = last.last_run_at if last else None
    if at is None or clock.now() - at > MAX_SILENCE:
        since = f"since {at:%Y-%m-%d %H:%M:%S} UTC" if at else "so far"
        yield Error(
            f"No worker has run a job {since}: nobody is told of anything.",
            hint="Start manage.py serve, or with WORKER=celery a worker and beat.",
            id="countersign.E011",
        )


def broker() -> Iterator[CheckMessage]:
    """The broker answers, where there is one"""
    if settings.WORKER != "celery":
        return
    client = Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2
    )
    try:
        client.ping()
    except (RedisError, OSError) as error:
        yield Error(
            f"The broker at REDIS_URL does not answer: {type(error).__name__}.",
            hint="Start Redis, or set REDIS_URL to where it listens.",
            id="countersign.E012",
        )
    finally:
        client.close()


def stages() -> Iterator[CheckMessage]:
    """Every stage has enough people to satisfy it"""
    for where, why in rows.deserted_stages(rows.read_all()):
        yield Error(
            f"Nobody could satisfy {where}: {why}.",
            hint="Put people into the group, or ask for fewer.",
            id="countersign.E013",
        )


def owners() -> Iterator[CheckMessage]:
    """Every agent has an owner"""
    names = Agent.objects.working().filter(owner=None).values_list("name", flat=True)
    if names:
        yield Warning(
            f"Nobody owns {', '.join(names[:20])}.",
            hint="Name an owner: who answers for the agent must not approve its requests.",
            id="countersign.W014",
        )


def rules() -> Iterator[CheckMessage]:
    """There are rules"""
    enforced = Policy.objects.filter(mode=Policy.Mode.ENFORCE)
    default = RuleSet.objects.exclude(default_decision="")
    if not enforced.exists() and not default.exists():
        yield Warning(
            "There is no policy and no default: every action is blocked.",
            hint="Load a policy file: manage.py load_policies FILE.yaml",
            id="countersign.W015",
        )


def freezes() -> Iterator[CheckMessage]:
    """Nothing has been frozen for long"""
    for frozen in Freeze.objects.active().filter(frozen_at__lt=clock.now() - A_DAY):
        yield Warning(
            f"{frozen.pattern} is frozen since {frozen.frozen_at:%Y-%m-%d %H:%M} UTC.",
            hint="Thaw it, or let a BLOCK policy say what is forbidden for good.",
            id="countersign.W016",
        )


def bypasses() -> Iterator[CheckMessage]:
    """What ran by broken glass is reviewed"""
    late = BypassReview.objects.filter(opened_at__lt=clock.now() - 7 * A_DAY)
    if count := late.filter(verdict="").count():
        yield Warning(
            f"{count} reviews after break-glass are open for longer than a week.",
            hint="Somebody who would have been asked has to say whether it was right.",
            id="countersign.W017",
        )


def slack() -> Iterator[CheckMessage]:
    """What Slack sends can be checked"""
    if settings.SLACK_BOT_TOKEN and not settings.SLACK_SIGNING_SECRET.strip():
        yield Error(
            "SLACK_BOT_TOKEN is set without SLACK_SIGNING_SECRET: what people press in "
            "Slack cannot be told from forgeries, and is refused.",
            hint="Copy the Signing Secret from the app's Basic Information.",
            id="countersign.E018",
        )


OF_SETTINGS: list[Check] = [
    debug,
    secret_key,
    hosts,
    public_url,
    mail,
    worker_setting,
    slack,
]
OF_DATABASE: list[Check] = [
    sqlite,
    migrations,
    triggers,
    clocks,
    workers,
    stages,
    owners,
    rules,
    freezes,
    bypasses,
]
OF_BROKER: list[Check] = [broker]


@register(Tags.security)
def check_at_start(**extra: Any) -> list[CheckMessage]:
    """Without this nothing starts."""
    return list(slack())


@register(Tags.security, deploy=True)
def check_settings(**extra: Any) -> list[CheckMessage]:
    """Only what Django does not say itself in ``check --deploy``."""
    ours = [hosts, public_url, worker_setting]
    return [message for check in ours for message in check()]
