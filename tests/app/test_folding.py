"""What is found by what."""

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from crm.core.folding import digits, fold, grams, query_words, search_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("寧波誠意機械", "宁波诚意机械"),
        ("臺北", "台北"),
        ("Café Zürich", "cafe zurich"),
        ("ＡＢＣ１２", "abc12"),
        ("陳著", "陈着"),
    ],
)
def test_spellings_of_one_text_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_homophones_stay_apart() -> None:
    assert fold("陳志明") != fold("陳智明")


def test_a_phone_number_is_found_with_or_without_its_country() -> None:
    text = search_text(texts=["陳志明"], phones=["+886-2-2345 6789"])
    for typed in ("02-2345-6789", "+886 2 2345 6789", "2345 6789", "(02) 23456789"):
        assert all(word in text for word in query_words(typed)), typed


def test_full_width_digits_are_digits() -> None:
    assert digits("０２-２３４５") == "022345"


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("typed", ["诚意", "诚", "ningbo", "ni", "n", "a1", "机械co", "8862", "𠮷野", "カメラ"])
def test_the_database_has_every_gram_that_is_asked_of_it(typed: str) -> None:
    text = search_text(texts=["x 宁波诚意机械co ningbo a1 𠮷野 カメラ"], phones=["+886 2"])
    with connection.cursor() as cursor:
        cursor.execute("select %s::text[] <@ crm_grams(%s)", [grams(fold(typed)), text])
        assert cursor.fetchone() == (True,)


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
