"""Names of people in three scripts, made up. Pure; each name follows from its chance alone."""

import random
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, get_args

from crm.demo import words

Script = Literal["zh-Hant", "zh-Hans", "en"]
SCRIPTS: Final[tuple[Script, ...]] = get_args(Script)

_COMPOUND_SHARE = 0.06
_SINGLE_SHARE = 0.3  # given names of one character, common on the mainland and rare in Taiwan
_FOREIGN_SHARE = 0.12


@dataclass(frozen=True)
class Name:
    """A name as its owner writes it, with its Latin form where the script is another."""

    own: str
    lang: Script
    latin: str

    @property
    def mail(self) -> str:
        """The name as the first part of a mail address: plain letters."""
        plain = unicodedata.normalize("NFKD", (self.latin or self.own).lower())
        return ".".join("".join(c for c in word if c.isascii() and c.isalpha()) for word in plain.split())


def usual_script(language: str) -> Script:
    """The script of a language of the interface."""
    scripts: dict[str, Script] = {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}
    return scripts.get(language, "en")


def script_at(language: str, luck: random.Random) -> Script:
    """The script of somebody's name where people mostly write this language of the interface."""
    return luck.choice(SCRIPTS) if luck.random() < _FOREIGN_SHARE else usual_script(language)


def person(script: Script, luck: random.Random) -> Name:
    """Somebody's full name."""
    if script == "en":
        return Name(f"{luck.choice(words.GIVEN_NAMES)} {luck.choice(words.FAMILY_NAMES)}", script, "")
    surname = luck.choice(words.COMPOUND_SURNAMES if luck.random() < _COMPOUND_SHARE else words.SURNAMES)
    given = [luck.choice(words.FIRST), luck.choice(words.SECOND)]
    if script == "zh-Hans":
        return _mainland(surname, given[1:] if luck.random() < _SINGLE_SHARE else given)
    latin = "-".join(part.taiwan for part in given).capitalize()
    return Name(surname.hant + "".join(part.hant for part in given), script, f"{surname.taiwan} {latin}")


def _mainland(surname: words.Syllables, given: list[words.Syllables]) -> Name:
    latin = "".join(part.pinyin for part in given).capitalize()
    return Name(surname.hans + "".join(part.hans for part in given), "zh-Hans", f"{surname.pinyin} {latin}")
