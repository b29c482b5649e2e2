"""Where made-up customers live: cities, addresses, telephone and tax numbers that have the right form.

Numbers of the US come from the range kept free for fiction (555-01xx); Taiwan and China keep none, so
those may be somebody's. Tax numbers carry right check digits. Pure.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Country = Literal["TW", "CN", "US"]


@dataclass(frozen=True)
class Place:
    """A city, with what an address and a telephone number there look like."""

    country: Country
    city: str
    districts: tuple[str, ...]
    roads: tuple[str, ...]
    area_codes: tuple[str, ...]
    lines: str  # the number behind the area code: N is 2 to 9, X any digit


TAIPEI: Final = Place(
    "TW",
    "台北市",
    ("大安區", "信義區", "中山區", "松山區", "內湖區", "士林區", "萬華區"),
    ("忠孝東路四段", "仁愛路三段", "民生東路五段", "南京東路二段", "和平東路一段", "復興北路"),
    ("2",),
    "2XXX-XXXX",
)
KAOHSIUNG: Final = Place(
    "TW",
    "高雄市",
    ("鹽埕區", "前鎮區", "左營區", "苓雅區", "三民區", "鳳山區"),
    ("中正三路", "博愛二路", "五福四路", "民族一路", "自由二路", "成功一路"),
    ("7",),
    "NXX-XXXX",
)
SHANGHAI: Final = Place(
    "CN",
    "上海市",
    ("浦东新区", "徐汇区", "静安区", "黄浦区", "长宁区", "杨浦区"),
    ("世纪大道", "淮海中路", "南京西路", "延安东路", "四平路", "虹桥路"),
    ("21",),
    "NXXX XXXX",
)
UNITED_STATES: Final = Place(
    "US",
    "New York",
    ("New York, NY 10013", "Brooklyn, NY 11201", "Queens, NY 11354", "Jersey City, NJ 07302"),
    ("Main St", "Canal St", "Broadway", "Lexington Ave", "Grand St", "Union St"),
    ("212", "718", "201"),
    "555-01XX",
)

_BY_SITE: Final = {"taipei": TAIPEI, "kaohsiung": KAOHSIUNG, "shanghai": SHANGHAI, "us": UNITED_STATES}
_BY_LANGUAGE: Final = {"zh-hant": TAIPEI, "zh-hans": SHANGHAI}
_CODES: Final = {"TW": "886", "CN": "86", "US": "1"}
_MOBILE_CN: Final = ("138", "139", "150", "158", "177", "186", "188", "199")


def place_of(site: str, language: str) -> Place:
    """Where a site's customers are: at a site of another name, by its language."""
    return _BY_SITE.get(site, _BY_LANGUAGE.get(language, UNITED_STATES))


def address(place: Place, luck: random.Random) -> str:
    """Street and number in the order in which they are written there."""
    district, road = luck.choice(place.districts), luck.choice(place.roads)
    number, floor = luck.randint(1, 399), luck.randint(2, 16)
    match place.country:
        case "TW":
            return f"{place.city}{district}{road}{number}號{floor}樓"
        case "CN":
            return f"{place.city}{district}{road}{number}号{floor}0{luck.randint(1, 6)}室"
        case "US":
            return f"{number} {road}, Apt {floor}, {district}"


def phone(place: Place, luck: random.Random) -> str:
    """A telephone number of the place, in international form."""
    gap = "-" if "-" in place.lines else " "
    return f"+{_CODES[place.country]}{gap}{luck.choice(place.area_codes)}{gap}{_digits(place.lines, luck)}"


def mobile(place: Place, luck: random.Random) -> str:
    """A mobile number of the country, in international form."""
    match place.country:
        case "TW":
            return f"+886-9{_digits('XX-XXX-XXX', luck)}"
        case "CN":
            return f"+86 {luck.choice(_MOBILE_CN)} {_digits('XXXX XXXX', luck)}"
        case "US":
            return phone(place, luck)


def _digits(form: str, luck: random.Random) -> str:
    ranges = {"N": (2, 9), "X": (0, 9)}
    return "".join(str(luck.randint(*ranges[c])) if c in ranges else c for c in form)


def tax_number(place: Place, luck: random.Random) -> str:
    """A company's number: Taiwan's 統一編號, China's 统一社会信用代码, the US's EIN."""
    match place.country:
        case "TW":
            return _with_check(_digits("NXXXXXX", luck), "0123456789", is_taiwan_number)
        case "CN":
            return _with_check(f"91310{_digits('XXX', luck)}MA{_digits('NXXXXXX', luck)}", _CN_CODE, is_chinese_number)
        case "US":
            return f"{luck.randint(20, 27)}-{_digits('XXXXXXX', luck)}"


def is_taiwan_number(number: str) -> bool:
    """Whether the digits times 1, 2, 1, 2, 1, 2, 4, 1, each product's own digits added, are divisible by 10."""
    products = [int(digit) * weight for digit, weight in zip(number, (1, 2, 1, 2, 1, 2, 4, 1), strict=True)]
    return sum(product // 10 + product % 10 for product in products) % 10 == 0


_CN_CODE: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def is_chinese_number(number: str) -> bool:
    """Whether the characters' values times powers of 3 modulo 31 are divisible by 31 (GB 32100-2015)."""
    weights = [pow(3, place, 31) for place in range(17)] + [1]
    return sum(_CN_CODE.index(c) * weight for c, weight in zip(number, weights, strict=True)) % 31 == 0


def _with_check(body: str, alphabet: str, is_valid: Callable[[str], bool]) -> str:
    return next(number for check in alphabet if is_valid(number := body + check))
