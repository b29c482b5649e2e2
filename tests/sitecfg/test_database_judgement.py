"""Each thing in a database that the rules cannot live with is named, with its place and a way out.

A good table and good rules; each test changes one thing.
"""

from dataclasses import replace
from typing import Any

import pytest

from sitecfg import CARRIABLE, ColumnRule, Mask, Rules, Share, TableRules, UniqueRule
from sitecfg.database.judgement import database_faults
from sitecfg.database.relations import Column, Constraint, ForeignKey, Relation, UniqueKey
from sitecfg.errors import Wrong

SITES = ("taipei", "us", "berlin")
NAME = "public.customer"
COLUMNS = {
    "id": Column("uuid", nullable=False, default=True),
    "owner_site": Column("character varying(31)", nullable=False),
    "email": Column("text", nullable=False),
    "phone": Column("character varying(40)"),
    "visits": Column("integer", nullable=False, default=True),
    "tags": Column("text[]"),
    "starts": Column("date"),
    "ends": Column("date"),
    "region_id": Column("uuid"),
    "folded": Column("text", computed_from=("email", "phone")),
}
GOOD = Relation(
    COLUMNS,
    key=("id",),
    unique_keys=(UniqueKey("email_key", ("email",)), UniqueKey("phone_key", ("owner_site", "phone"))),
    checks=(
        Constraint("in_order", ("starts", "ends")),
        Constraint("named", ("email",)),
        Constraint("own", ("id", "email")),
    ),
    foreign_keys=(ForeignKey("region_fkey", ("region_id",), "public.region"),),
)
RULES = TableRules(
    owner="owner_site",
    columns={
        "visits": ColumnRule("latest"),
        "tags": ColumnRule("set"),
        "starts": ColumnRule("owner"),
        "ends": ColumnRule("owner"),
    },
    groups={"stay": ("starts", "ends")},
    unique_keys={"email_key": UniqueRule("mark"), "phone_key": UniqueRule("null")},
    parents={"region_fkey": "null"},
)


def judged(rules: TableRules, relation: Relation | None = GOOD, **more: TableRules) -> list[Wrong]:
    tables = {NAME: rules, **{f"public.{name}": table for name, table in more.items()}}
    relations = {name: relation for name in tables if relation is not None}
    found = database_faults(Rules(tables, ("public.local_*",)), SITES, relations)
    return [wrong for table, wrong in found if table == NAME]


def with_column(name: str, rule: ColumnRule) -> TableRules:
    return replace(RULES, columns={**RULES.columns, name: rule})


def changed(**columns: Column) -> Relation:
    return replace(GOOD, columns={**COLUMNS, **columns})


def one(found: list[Wrong]) -> Wrong:
    (wrong,) = found
    assert wrong.hint, "every fault has a way out"
    return wrong


def test_rules_that_fit_have_no_fault() -> None:
    assert judged(RULES) == []


def test_rules_fit_a_column_under_the_name_that_it_has_at_a_site() -> None:
    columns = {("born" if name == "tags" else name): column for name, column in COLUMNS.items()}
    rules = replace(RULES, renamed={"tags": "born"})
    assert judged(rules) == judged(rules, replace(GOOD, columns=columns)) == []
    assert judged(RULES, replace(GOOD, columns=columns)), "not without its declaration"


def test_a_table_must_be_there() -> None:
    assert one(judged(RULES, None)).message == "there is no such table"


def test_faults_of_several_kinds_are_found_at_once() -> None:
    rules = replace(with_column("visits", ColumnRule("set")), parents={"city_fkey": "falls"}, owner="owner")
    found = judged(rules, replace(GOOD, key=(), checks=()))
    assert {wrong.key for wrong in found} == {"", "owner", "column.visits", "parent.city_fkey"}


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        (replace(RULES, owner="tag"), "owner"),
        (replace(RULES, share=Share(column="tag", by_value={"a": ("us",)})), "share.column"),
        (with_column("tag", ColumnRule()), "column.tag"),
        (with_column("tag", ColumnRule(share=Share(("us",)), mask=Mask())), "column.tag"),
        (replace(RULES, groups={**RULES.groups, "more": ("tag", "phone")}), "groups.more"),
        (
            with_column("visits", ColumnRule(share=Share(column="tag", by_value={}), mask=Mask())),
            "column.visits.share.column",
        ),
    ],
)
def test_every_column_that_the_rules_name_is_there(rules: TableRules, key: str) -> None:
    found = [wrong for wrong in judged(rules) if "there is no column" in wrong.message]
    assert one(found) == Wrong(key, "there is no column tag", "did you mean tags?")


def test_the_columns_there_are_are_named_where_none_is_close() -> None:
    assert one(judged(with_column("wholly_other", ColumnRule()))).hint.startswith("the columns are id, owner_site")


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        (with_column("id", ColumnRule()), "column.id"),
        (with_column("id", ColumnRule(share=Share(("us",)), mask=Mask())), "column.id"),
        (replace(RULES, groups={**RULES.groups, "more": ("id", "phone")}), "groups.more"),
    ],
)
def test_a_key_column_has_no_rule_of_its_own(rules: TableRules, key: str) -> None:
    assert (key, "id is in the primary key") in [wrong[:2] for wrong in judged(rules)]


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        (with_column("folded", ColumnRule("frozen")), "column.folded"),
        (replace(RULES, groups={**RULES.groups, "more": ("folded", "phone")}), "groups.more"),
        (replace(RULES, owner="folded"), "owner"),
    ],
)
def test_a_generated_column_has_no_rule(rules: TableRules, key: str) -> None:
    assert (key, "folded is generated") in [wrong[:2] for wrong in judged(rules)]


@pytest.mark.parametrize("rule", [rule for rule, types in CARRIABLE.items() if types is not None])
def test_a_columns_type_carries_its_rule(rule: str) -> None:
    wrong = one(judged(with_column("doc", ColumnRule(rule)), changed(doc=Column("jsonb"))))
    assert wrong[:2] == ("column.doc", f"jsonb cannot carry the rule {rule}")
    assert all(type_name in wrong.hint for type_name in CARRIABLE[rule] or ())


def test_the_owner_column_holds_a_name() -> None:
    wrong = one(judged(replace(RULES, owner="visits")))
    assert wrong[:2] == ("owner", "visits is integer")


def test_a_table_has_a_primary_key() -> None:
    assert "no primary key" in one(judged(RULES, replace(GOOD, key=(), checks=()))).message


def test_a_primary_key_is_not_deferrable() -> None:
    assert one(judged(RULES, replace(GOOD, key_deferrable=True))).message == "its primary key is deferrable"


def test_a_table_is_an_ordinary_one() -> None:
    assert one(judged(RULES, replace(GOOD, plain=False))).message == "not an ordinary, logged table"


def test_a_check_over_several_columns_lies_within_one_group() -> None:
    wrong = one(judged(replace(RULES, groups={})))
    assert wrong[:2] == ("groups", "CHECK in_order reads starts, ends, which no group holds together")
    assert 'in_order = ["starts", "ends"]' in wrong.hint


def test_a_check_reads_a_generated_columns_sources() -> None:
    wrong = one(judged(RULES, replace(GOOD, checks=(Constraint("folds", ("folded",)),))))
    assert wrong.message == "CHECK folds reads email, phone, which no group holds together"


@pytest.mark.parametrize(("column", "rule"), [("visits", "counter"), ("tags", "set"), ("email", "append")])
def test_a_check_reads_no_value_that_nobody_wrote(column: str, rule: str) -> None:
    relation = replace(GOOD, checks=(Constraint("bounded", (column,)),))
    wrong = one(judged(with_column(column, ColumnRule(rule)), relation))
    assert wrong[:2] == (f"column.{column}", "CHECK bounded reads it")


def test_an_exclusion_is_refused() -> None:
    wrong = one(judged(RULES, replace(GOOD, exclusions=(Constraint("no_overlap", ("visits",)),))))
    assert wrong[:2] == ("", "a replicated table cannot have an EXCLUDE constraint")
    assert "drop no_overlap" in wrong.hint


def unique(outcome: str, *columns: str, **more: Any) -> tuple[TableRules, Relation]:
    rules = replace(RULES, unique_keys={"k": UniqueRule(outcome)})
    return rules, replace(GOOD, unique_keys=(UniqueKey("k", columns, **more),))


@pytest.mark.parametrize(
    ("name", "hint"), [("email_ky", "did you mean email_key?"), ("pk", "there are: email_key, phone_key")]
)
def test_a_unique_rule_names_an_index_that_is_there(name: str, hint: str) -> None:
    wrong = one(judged(replace(RULES, unique_keys={name: UniqueRule()})))
    assert wrong == Wrong(f"unique.{name}", f"there is no unique index {name} besides the primary key", hint)


@pytest.mark.parametrize("columns", [("visits",), ("owner_site",), ("visits", "owner_site"), ("folded",), ("id",)])
def test_a_mark_needs_a_text_column_that_is_no_owner(columns: tuple[str, ...]) -> None:
    wrong = one(judged(*unique("mark", *columns)))
    assert wrong[:2] == ("unique.k", f"none of {', '.join(columns)} can show a marked text")


def test_a_mark_does_not_stand_in_a_reference() -> None:
    rules, relation = unique("mark", "region_id")
    relation = replace(relation, columns={**COLUMNS, "region_id": Column("text")})
    assert one(judged(rules, relation)).key == "unique.k"


def test_null_needs_a_nullable_column() -> None:
    wrong = one(judged(*unique("null", "email", "visits")))
    assert wrong[:2] == ("unique.k", "none of email, visits can be NULL")


def test_null_needs_nulls_that_are_distinct() -> None:
    wrong = one(judged(*unique("null", "phone", nulls_distinct=False)))
    assert wrong[:2] == ("unique.k", "its NULLs are not distinct: two would collide")


@pytest.mark.parametrize("columns", [("visits",), ("owner_site",), ("region_id",), ("folded",)])
def test_any_claim_can_wait_hidden(columns: tuple[str, ...]) -> None:
    assert judged(*unique("hide", *columns)) == []


def test_a_parent_rule_names_a_foreign_key_that_is_there() -> None:
    wrong = one(judged(replace(RULES, parents={"regoin_fkey": "falls"})))
    assert wrong == Wrong("parent.regoin_fkey", "there is no foreign key regoin_fkey", "did you mean region_fkey?")


def test_a_reference_that_becomes_null_can_be_null() -> None:
    wrong = one(judged(RULES, changed(region_id=Column("uuid", nullable=False))))
    assert wrong[:2] == ("parent.region_fkey", "region_id cannot be NULL")


def test_a_reference_that_the_database_sets_to_null_becomes_null_by_its_rule() -> None:
    unset = replace(GOOD, foreign_keys=(replace(GOOD.foreign_keys[0], unsets=True),))
    assert judged(RULES, unset) == []
    for rules in (replace(RULES, parents={}), replace(RULES, parents={"region_fkey": "falls"})):
        wrong = one(judged(rules, unset))
        assert wrong.key == "parent.region_fkey"
        assert "ON DELETE SET NULL" in wrong.message


def hidden(column: str, kind: str = "nothing") -> TableRules:
    return with_column(column, ColumnRule(share=Share(("us",)), mask=Mask(kind)))


@pytest.mark.parametrize("column", ["phone", "visits"])
def test_nothing_is_null_or_the_default(column: str) -> None:
    assert judged(replace(hidden(column), unique_keys={}), replace(GOOD, unique_keys=())) == []


def test_nothing_cannot_stand_where_a_value_must() -> None:
    wrong = one(judged(replace(hidden("email"), unique_keys={}), replace(GOOD, unique_keys=())))
    assert wrong.key == "column.email.mask"


@pytest.mark.parametrize("kind", ["hash", "part"])
def test_a_hash_and_a_part_are_text(kind: str) -> None:
    wrong = one(judged(hidden("visits", kind)))
    assert wrong[:2] == ("column.visits.mask", f"a {kind} is text, and does not fit into integer")


@pytest.mark.parametrize("kind", ["hash", "part"])
def test_no_check_reads_a_hash_or_a_part(kind: str) -> None:
    relation = replace(GOOD, unique_keys=(), checks=(Constraint("dialled", ("phone",)),))
    wrong = one(judged(replace(hidden("phone", kind), unique_keys={}), relation))
    assert wrong[:2] == ("column.phone.mask", f"CHECK dialled could refuse a {kind}")


@pytest.mark.parametrize(
    "key", [UniqueKey("k", ("phone",)), UniqueKey("k", ("visits",), ("phone",)), UniqueKey("k", ("folded",))]
)
def test_a_unique_key_needs_no_column_that_is_not_shared(key: UniqueKey) -> None:
    wrong = one(judged(replace(hidden("phone"), unique_keys={}), replace(GOOD, unique_keys=(key,))))
    assert wrong[:2] == ("column.phone.share", "the unique key k needs it everywhere")


def test_a_foreign_key_needs_no_column_that_is_not_shared() -> None:
    wrong = one(judged(hidden("region_id")))
    assert wrong[:2] == ("column.region_id.share", "the foreign key region_fkey needs it everywhere")


BY_OWNER = Share(column="owner_site", by_value={"us": ("us",)})


def test_a_unique_key_spans_no_rows_of_which_a_site_sees_some() -> None:
    wrong = one(judged(replace(RULES, share=BY_OWNER), region=TableRules()))
    assert wrong[:2] == ("share", "the unique key email_key spans rows that not all sites receive")


@pytest.mark.parametrize(
    ("child", "parent", "waiting"),
    [
        (None, Share(("us",)), "berlin, taipei"),
        (Share(("us", "taipei")), Share(("us",)), "taipei"),
        (None, BY_OWNER, "berlin, taipei"),
        (Share(("taipei", "us")), BY_OWNER, "taipei"),
        (Share(column="owner_site", by_value={"us": ("us", "berlin")}), BY_OWNER, "berlin, taipei"),
        (Share(("us",)), Share(("us",)), ""),
        (Share(("us",)), Share(("us", "taipei")), ""),
        (Share(("us",)), BY_OWNER, ""),
        (BY_OWNER, BY_OWNER, ""),
        (BY_OWNER, None, ""),
    ],
)
def test_a_row_goes_only_where_its_parent_is(child: Share | None, parent: Share | None, waiting: str) -> None:
    relation = replace(GOOD, unique_keys=())
    found = judged(replace(RULES, share=child, unique_keys={}), relation, region=TableRules(share=parent))
    assert [wrong.message for wrong in found] == (
        [f"by region_fkey, rows wait at {waiting} for ever"] if waiting else []
    )


def test_a_row_that_travels_refers_to_none_that_stays() -> None:
    relation = replace(GOOD, foreign_keys=(*GOOD.foreign_keys, ForeignKey("local_fkey", ("phone",), "public.local_x")))
    wrong = one(judged(replace(RULES, unique_keys={}), relation))
    assert wrong[:2] == ("", "the foreign key local_fkey refers to a table that stays at its site")
