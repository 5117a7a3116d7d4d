"""Servers, ledgers and settings for the tests; nothing of the user's is touched."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# The Celery app is made at its import, from the settings in force: before any test imports
# it, these must not be those of the user, whose broker may be running.
SESSION_HOME = Path(tempfile.mkdtemp(prefix="gwbroker-tests-"))
atexit.register(shutil.rmtree, SESSION_HOME, ignore_errors=True)
# Not a setting, and refused as such: see peers.py.
os.environ["PEERS_OF_TESTS"] = os.environ.get("GWBROKER_PEERS", "")
for _name in [name for name in os.environ if name.startswith("GWBROKER_")]:
    del os.environ[_name]
os.environ["GWBROKER_HOME"] = str(SESSION_HOME)
os.environ["XDG_CONFIG_HOME"] = str(SESSION_HOME / "config")
(SESSION_HOME / "config").mkdir()

from gwbroker import dispatch, jobs  # noqa: E402
from gwbroker.conf import settings  # noqa: E402
from gwbroker.ledger import engine, schema  # noqa: E402
from gwbroker.streams.registry import registrations  # noqa: E402

from . import kafka_server, servers, token_server  # noqa: E402

# A machine that stands still for a moment makes no example wrong.
hypothesis_settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("tests")


LONGEST = (
    "docs/test_commands.py", "chaos/test_chaos.py", "cli/test_replay.py", "test_eternal.py",
    "listeners/test_kafka_auth.py", "cli/test_cli.py", "cli/test_demo.py", "test_kafka_server.py",
    "test_journey.py", "listeners/test_kafka_real.py", "skymap/test_samples.py",
    "listeners/test_kafka_topics.py", "tasks/test_annotations.py", "skymap/test_calibration_2d.py",
    "test_wheel.py", "test_jobs.py", "listeners/test_vtp_hostile.py", "ledger/test_archive.py",
    "tasks/test_two_workers.py", "test_progress.py", "skymap/test_plot.py",
    "security/test_secrets.py", "skymap/test_bayestar.py",
)
"""Files whose tests take longest, and begin first, so that no process waits for another's end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of these files first."""
    here = Path(__file__).parent
    order = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def absent(reason: str) -> None:
    """Skip a test for want of a server; where everything must be there, fail."""
    if servers.CI:
        pytest.fail(f"{reason}, and CI is set")
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test logged pass from its process to the one that reports."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode())
                       for name, text in report.sections]
    return report


def _start_afresh() -> None:
    settings.cache_clear()
    engine.dispose()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No settings but a home of the test's own, which is also the working folder's parent."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("GWBROKER_HOME", str(tmp_path / "home"))
    _start_afresh()
    yield monkeypatch
    _start_afresh()


@pytest.fixture
def home(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of the test's own, with an empty ledger still to be made."""
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.PostgreSQL]:
    """A PostgreSQL server, whose database ``template`` has the ledger's schema."""
    try:
        server = servers.PostgreSQL()
    except servers.Absent as e:
        absent(str(e))
    with server:
        server._do("CREATE DATABASE template")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GWBROKER_DATABASE_URL", server.url("template"))
            _start_afresh()
            schema.upgrade()
            engine.dispose()
        settings.cache_clear()
        yield server


@pytest.fixture(scope="session")
def signer() -> token_server.Signer:
    """The key whose tokens the real Kafka takes."""
    return token_server.Signer()


@pytest.fixture(scope="session")
def kafka(signer: token_server.Signer) -> Iterator[kafka_server.Kafka]:
    """A real Apache Kafka, shared by all tests: each uses topics and groups of its own."""
    try:
        server = kafka_server.Kafka(signer.jwks)
    except servers.Absent as e:
        absent(str(e))
    with server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite ledger with the schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ledger.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GWBROKER_DATABASE_URL", f"sqlite:///{path}")
        _start_afresh()
        schema.upgrade()
        engine.dispose()
    settings.cache_clear()
    return path


@pytest.fixture
def sqlite(home: Path, sqlite_template: Path) -> str:
    """A ledger on SQLite with the schema; returns its URL."""
    shutil.copy(sqlite_template, home / "ledger.sqlite")
    return settings().ledger_url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, home: Path, environment: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A ledger with the schema, once on SQLite and once on PostgreSQL; returns its URL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    server: servers.PostgreSQL = request.getfixturevalue("postgresql")
    database = server.fresh("template")
    environment.setenv("GWBROKER_DATABASE_URL", server.url(database))
    _start_afresh()
    yield settings().ledger_url
    engine.dispose()
    server.drop(database)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.Redis]:
    """The Redis to which this process's Celery app is connected; without this it is away."""
    from kombu import pools

    from gwbroker.app import app

    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    with servers.Redis(Path(app.conf.broker_url.removeprefix("redis+socket://"))) as server:
        yield server
        pools.reset()
        app.amqp._producer_pool = app._pool = None


@pytest.fixture
def handlers(
    home: Path, environment: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Path]]:
    """A function that installs a file of handlers, which is forgotten afterwards."""
    dispatch.load()
    before = dict(registrations), dict(jobs.callees), set(jobs.handlers), set(sys.modules)
    folder = home / "handlers"
    folder.mkdir()

    def install(text: str, name: str = "mine") -> Path:
        path = folder / f"{name}.py"
        path.write_text(text)
        environment.setenv("GWBROKER_HANDLERS", str(folder))
        settings.cache_clear()
        dispatch.forget()
        return path

    yield install
    dispatch.forget()
    for name in set(sys.modules) - before[3]:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    registrations.clear()
    registrations.update(before[0])
    jobs.callees.clear()
    jobs.callees.update(before[1])
    jobs.handlers.clear()
    jobs.handlers.update(before[2])


@pytest.fixture
def broker(home: Path) -> Iterator[servers.Broker]:
    """A broker whose processes are real; the test starts those that it needs."""
    made = servers.Broker(home)
    with servers.running(made):
        yield made
