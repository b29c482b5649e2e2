"""The application under test: one private PostgreSQL for the run, each test in a transaction that is rolled back.

Django reads its settings once a process, when this file is collected: from a copy of the project's own
configuration whose state lies in a temporary folder, so that no local stack is needed or touched.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import setup_test_environment, teardown_test_environment

from tests.app.cluster import running_cluster

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(tempfile.mkdtemp(prefix="kuroshio-app-"))
VARIABLES = {
    "KUROSHIO_CONFIG": str(FOLDER / "config"),
    "KUROSHIO_SITE": "taipei",
    "DJANGO_SETTINGS_MODULE": "crm.settings",
}


def _set_up_django() -> None:
    shutil.copytree(ROOT / "sitecfg" / "sites", FOLDER / "config" / "sites")
    shutil.copytree(ROOT / "sitecfg" / "rules", FOLDER / "config" / "rules")
    shutil.copy(ROOT / "sitecfg" / "local.toml", FOLDER / "config")
    secret = FOLDER / ".kuroshio" / "secrets" / "taipei.app"
    secret.parent.mkdir(parents=True, mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text("for-the-tests\n")
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(VARIABLES)
    django.setup()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a log-in a test, and quick ones
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


_set_up_django()


def pytest_sessionfinish() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """The site's database with the CRM's tables, owned by the role that the web node has."""
    with running_cluster() as port:
        connection.settings_dict["PORT"] = str(port)
        with psycopg.connect(
            host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True
        ) as server:
            server.execute("create role app login")
            server.execute("create database crm owner app")
        with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="crm") as server:
            server.execute("alter schema public owner to app")
        setup_test_environment()
        call_command("migrate", verbosity=0)
        yield
        connection.close()
        teardown_test_environment()


@pytest.fixture
def db(database: None) -> Iterator[None]:
    """A transaction around the test."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="session")
def assets(database: None) -> None:
    """The static files as a node builds them when it starts."""
    from crm.core.assets import build_assets

    build_assets()


LogIn = Callable[..., Client]


@pytest.fixture
def log_in(db: None, assets: None) -> LogIn:
    """Gives a browser in which somebody of this role has logged in."""
    from tests.app.make import make_user

    def log_in(role: str = "staff", **values: str) -> Client:
        client = Client(headers={"accept-encoding": "gzip"})
        client.force_login(make_user(role=role, **values))
        return client

    return log_in


@pytest.fixture
def conflicts(db: None) -> Iterator[None]:
    """This site's database under replication, with no conflict in it."""
    from tests.app.kuroshio import replicated

    with replicated():
        yield
