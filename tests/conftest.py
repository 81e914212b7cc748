"""What every test stands on: databases, and servers for those who ask."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from approvals.models import ApprovalRequest
from governance import services
from governance.models import Agent, User
from tests import servers, sparing
from tests.approvals.factories import make_request
from tests.cast import AgentClient, make_user

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


# Each of these starts servers, or a browser: what is in one runs one after the other.
TOGETHER = (
    "tests/browsing/",
    "tests/story/",
    "tests/config/test_serve.py",
    "tests/config/test_celery.py",
)


class OneAfterTheOther(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests one by one, but for those that share expensive servers."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (place for place in TOGETHER if nodeid.startswith(place))
        return next(shared, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadScopeScheduling:
    return OneAfterTheOther(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-database",
        action="store_true",
        help="Leave out what would not notice which database it runs on.",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Hashing that is slow on purpose is most of what making a user costs.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    # What takes long begins early, or one process would be at it alone in the end.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if not config.getoption("--only-database"):
        return
    wanted = [item for item in items if _needs_database(item)]
    config.hook.pytest_deselected(items=[i for i in items if i not in wanted])
    items[:] = wanted


def _needs_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("looks"):
        return False
    fixtures = getattr(item, "fixturenames", ())
    marked = item.get_closest_marker("django_db")
    return marked is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_modify_db_settings_parallel_suffix: None,
) -> None:
    """Give each test process a database file of its own.

    A file, not memory: only a file has the locks that the tests are about.
    """
    if connection.vendor == "sqlite":
        file = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(file)


@pytest.fixture(scope="session", autouse=True)
def _sparing() -> Iterator[None]:
    with sparing.static_files_found_once(), sparing.only_filled_tables_emptied():
        yield


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture
def postgres(_postgres_server: str) -> str:
    """Return the ``DATABASE_URL`` of an empty database on a real PostgreSQL.

    For tests that start processes; others just use the database they run on.
    """
    return servers.new_database(_postgres_server)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A real Redis-compatible server: its ``REDIS_URL``."""
    with servers.valkey() as url:
        yield url


# The cast. Alice and Bob are managers, Carol is finance, Charlie may do nothing.


@pytest.fixture
def managers(db: None) -> Group:
    return Group.objects.create(name="customer-service-managers")


@pytest.fixture
def finance(db: None) -> Group:
    return Group.objects.create(name="finance")


@pytest.fixture
def alice(managers: Group) -> User:
    return make_user("alice", managers)


@pytest.fixture
def bob(managers: Group) -> User:
    return make_user("bob", managers)


@pytest.fixture
def carol(finance: Group) -> User:
    return make_user("carol", finance)


@pytest.fixture
def charlie(db: None) -> User:
    return make_user("charlie")


@pytest.fixture
def agent(db: None) -> Agent:
    return services.create_agent("refund-bot")


@pytest.fixture
def api(agent: Agent) -> AgentClient:
    """The agent at the other end of the API."""
    return AgentClient(services.issue_key(agent))


@pytest.fixture
def refund_rules(managers: Group, finance: Group) -> None:
    """The policies of the running example."""
    call_command("load_policies", "examples/refunds.yaml", stdout=StringIO())


@pytest.fixture
def refund(refund_rules: None, agent: Agent) -> ApprovalRequest:
    """A refund of $75 that waits for a manager."""
    return make_request(agent)
