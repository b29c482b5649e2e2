"""Text as the search sees it, and the grams by which the database finds a part of it.

1. Folding is the same for what is stored and for what is typed: compatibility forms made plain
   (NFKC), lower case, no accents, Traditional Chinese read as Simplified, variant characters
   unified, everything but letters and digits a space.
2. Folding is for finding only: names that fold alike stay different names.
3. `grams` computes what the SQL function `crm_grams` computes for a word, less the single
   characters and starts that longer grams imply.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from opencc import OpenCC

CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(f"[{CJK}]+|[^\\s{CJK}]+")
_HAN = re.compile(f"[{CJK}]")
_NOT_TEXT = re.compile(r"[\W_]+")
_PHONE = re.compile(r"\+?[\d\s().\-/]{3,}")
# What OpenCC's t2s leaves apart though people write either.
_VARIANTS = str.maketrans("著衞峯堃喆甯", "着卫峰坤哲宁")


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


def fold(text: str) -> str:
    """The text folded, its words parted by single spaces."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text)).lower()
    bare = "".join(char for char in plain if not unicodedata.combining(char))
    simplified = _to_simplified().convert(unicodedata.normalize("NFC", bare))
    return _NOT_TEXT.sub(" ", simplified.translate(_VARIANTS)).strip()


def digits(phone: str) -> str:
    """A phone number's digits alone, as one word."""
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", phone))


def search_text(*, texts: Iterable[str], phones: Iterable[str] = ()) -> str:
    """What a row is found by: its texts folded, its phone numbers as digits."""
    words = [fold(text) for text in texts] + [digits(phone) for phone in phones]
    return " ".join(dict.fromkeys(word for word in words if word))


def query_words(typed: str) -> list[str]:
    """The words that a row must contain; a phone number is one word without its leading zeros."""
    if _PHONE.fullmatch(typed.strip()):
        return [digits(typed).lstrip("0") or "0"]
    return fold(typed).split()


def grams(word: str) -> list[str]:
    """The longest grams of a folded word, all of which `crm_grams` of a containing text has."""
    return sorted({gram for run in _RUN.findall(word) for gram in _run_grams(run)})


def _run_grams(run: str) -> Iterable[str]:
    size = 2 if _HAN.match(run) else 3
    if len(run) < size:
        return [run if size == 2 else f"^{run}"]
    return [run[i : i + size] for i in range(len(run) - size + 1)]
