"""The accounts to log in with: one a site, one for operations, one for headquarters' own people.

They are made at headquarters and travel from there; all have the local demo's one password.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from crm.accounts.models import User
from crm.accounts.roles import Role
from crm.accounts.services import create_user
from crm.demo.chance import chance
from crm.demo.homes import headquarters
from crm.demo.keys import key_of
from crm.demo.people import person, usual_script
from sitecfg import Site
from sitecfg.secrets import read_secret


def create_accounts(sites: Iterable[Site], password_file: Path) -> int:
    """Make the accounts that are not there; returns how many."""
    wanted = {key_of("account", values["username"]): values for values in accounts(list(sites))}
    there = set(User.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    missing = {key: values for key, values in wanted.items() if key not in there}
    for key, values in missing.items():
        create_user(key=key, password=read_secret(password_file), **values)
    return len(missing)


def accounts(sites: list[Site]) -> Iterator[dict[str, Any]]:
    """The values of each account."""
    for site in sites:
        yield _account(site.name, site, Role.STAFF)
    yield _account("ops", headquarters(sites), Role.OPS)
    yield _account("hq", headquarters(sites), Role.HQ)


def _account(username: str, site: Site, role: Role) -> dict[str, Any]:
    name = person(usual_script(site.languages[0]), chance("account", username))
    return {
        "username": username,
        "display_name": name.own,
        "name_lang": name.lang,
        "latin_name": name.latin,
        "email": f"{username}@example.com",
        "role": role.value,
        "language": site.languages[0],
        "time_zone": site.time_zone,
        "owner_site": site.name,
    }
