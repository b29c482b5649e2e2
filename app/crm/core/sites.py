"""The sites by their codes, for people."""

from django.conf import settings
from django.utils.translation import get_language

from sitecfg import Config, Site


def config() -> Config:
    """The configuration that this process was started with."""
    loaded: Config = settings.CONFIG
    return loaded


def this_site() -> Site:
    """The site that this process serves."""
    served: Site = settings.SITE
    return served


def site_title(code: str) -> str:
    """The site's name in the reader's language; a code that no file names is shown as it is."""
    site = config().sites.get(code)
    if site is None:
        return code
    titles = {str(language): title for language, title in site.title.items()}
    return titles.get(get_language() or "", titles.get("en", next(iter(titles.values()), code)))


def site_choices() -> list[tuple[str, str]]:
    """All sites, headquarters first, as a form offers them."""
    return [(code, site_title(code)) for code in config().sites]
