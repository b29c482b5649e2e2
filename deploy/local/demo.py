"""The sample data of `make demo`: loaded at each site by the application, then replayed through them."""

from deploy.local import contents
from deploy.local.layout import Layout, local_of
from deploy.local.say import Say, StackError
from sitecfg import Config
from sitecfg.secrets import read_secret

REPLAYED = 200
ARRIVAL_SECONDS = 120


def show(config: Config, say: Say) -> None:
    """Load what is to be seen and, the first time, let people see it travel."""
    shown = Layout(local_of(config).state.resolve()).demo_shown
    load(config, "demo", say)
    if not shown.exists():
        replay(config, say)
        say("waiting until every site has everything")
        contents.run(config, [*contents.REPLICATION, "wait", "--timeout", str(ARRIVAL_SECONDS)])
        shown.touch()


def load(config: Config, size: str, say: Say) -> None:
    """Load each site's share at that site; what is there already stays as it is."""
    _check_app(config)
    say(f"loading sample data ({size}) at every site")
    contents.at_each_site(config, [*contents.MANAGE, "demo_data", "--size", size], quiet=False)


def replay(config: Config, say: Say) -> None:
    """Let people see rows travel: a stretch of real transactions in their real order."""
    say(f"replaying {REPLAYED} transactions through the sites")
    first = next(iter(config.sites.values()))
    contents.run(config, [*contents.MANAGE, "replay", "--transactions", str(REPLAYED)], first, quiet=False)


def login(config: Config) -> str:
    """The account to try first, and its password."""
    password = read_secret(Layout(local_of(config).state).secret("demo"))
    first = next(iter(config.sites))
    return f"\nLog in at any of them as {first} with the password {password}\n"


def _check_app(config: Config) -> None:
    if not local_of(config).app:
        raise StackError(f"{config.directory} runs no web nodes (app = true in local.toml): it has no sample data")
