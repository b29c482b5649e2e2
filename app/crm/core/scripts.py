"""Names in their own script, and a reading aid in the reader's.

A Chinese name is shown as its owner writes it. Readers of the other script see it converted beside
it; that is a help for the eye, never stored and never taken for the name.
"""

from functools import cache

from django.utils.translation import get_language
from opencc import OpenCC

_HELP = {("zh-Hans", "zh-hant"): "s2tw", ("zh-Hant", "zh-hans"): "t2s"}


@cache
def _converter(name: str) -> OpenCC:
    return OpenCC(name)


def for_reader(name: str, lang: str) -> tuple[str, str] | None:
    """The name in the reader's script with that script's tag, if it looks different there."""
    language = get_language() or ""
    conversion = _HELP.get((lang, language))
    converted = _converter(conversion).convert(name) if conversion else name
    if converted == name:
        return None
    return converted, html_lang(language)


def html_lang(language: str) -> str:
    """A language of the interface as the `lang` attribute spells it."""
    return {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}.get(language, language)
