"""The function behind the search of names: see `crm.core.postgres` and `crm.core.folding`."""

from django.db import migrations

CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"

CREATE = rf"""
create function crm_grams(folded text) returns text[]
    language sql immutable strict parallel safe
as $body$
    select coalesce(array_agg(distinct gram), '{{}}')
    from regexp_matches(folded, '[{CJK}]+|[^\s{CJK}]+', 'g') as runs(run),
    lateral (select run[1] as word, run[1] ~ '^[{CJK}]' as han, length(run[1]) as size) as w,
    lateral (
        select substr(word, i, 1) from generate_series(1, size) as i where han
        union all
        select substr(word, i, 2) from generate_series(1, size - 1) as i where han
        union all
        select substr(word, i, 3) from generate_series(1, size - 2) as i where not han
        union all
        select '^' || left(word, i) from generate_series(1, least(size, 2)) as i where not han
    ) as g(gram)
$body$
"""


class Migration(migrations.Migration):
    """Made before the tables whose indexes call it."""

    operations = (migrations.RunSQL(CREATE, "drop function crm_grams(text)"),)
