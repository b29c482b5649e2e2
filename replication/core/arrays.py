"""PostgreSQL's text form of one-dimensional arrays: ``{a,"b c",NULL}``. Pure."""

from collections.abc import Iterable

from replication.errors import DecodeError

_SPECIAL = frozenset('{}",\\ \t\n\r\v\f')


def parse_array(text: str) -> list[str | None]:
    """The elements of a one-dimensional array in its text form."""
    if len(text) < 2 or text[0] != "{" or text[-1] != "}":
        raise DecodeError("not a one-dimensional array")
    body = text[1:-1]
    if '"' not in body and "\\" not in body:
        return [None if part == "NULL" else part for part in body.split(",")] if body else []
    return _parse_quoted(body)


def _parse_quoted(body: str) -> list[str | None]:
    elements: list[str | None] = []
    place = 0
    while place <= len(body):
        if body[place : place + 1] == '"':
            value, place = _quoted(body, place + 1)
            elements.append(value)
            place += 1
        else:
            end = body.find(",", place)
            end = len(body) if end < 0 else end
            part = body[place:end]
            elements.append(None if part == "NULL" else part)
            place = end + 1
    return elements


def _quoted(body: str, place: int) -> tuple[str, int]:
    """The element whose opening quotation mark ends before ``place``, and the place behind its closing one."""
    out: list[str] = []
    while place < len(body):
        sign = body[place]
        if sign == '"':
            return "".join(out), place + 1
        if sign == "\\":
            place += 1
            sign = body[place : place + 1]
        out.append(sign)
        place += 1
    raise DecodeError("an array's element lacks its closing quotation mark")


def format_array(elements: Iterable[str]) -> str:
    """The text form of a one-dimensional array, quoted where PostgreSQL does."""
    return "{" + ",".join(map(_quote, elements)) + "}"


def _quote(element: str) -> str:
    plain = element and element.upper() != "NULL" and not _SPECIAL.intersection(element)
    return element if plain else '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_integers(text: str | bytes) -> list[int]:
    """Read an integer array's text form."""
    return [int(part) for part in text[1:-1].split(b"," if isinstance(text, bytes) else ",")]  # type: ignore[arg-type]
