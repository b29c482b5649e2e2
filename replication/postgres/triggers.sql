-- The generator of the stamp triggers. A replicated table gets three functions made for its own columns: generic ones cost
-- local writes twice as much. An event trigger makes them anew in the transaction of any DDL on the table (pitfall P14).
--
-- A local write (no replication origin in the session) gets its moment here: the transaction's clock, or one microsecond
-- above the newest stamp of the row, so that an edit always beats what its author saw. A column that is set to its own
-- value gets none: it is no edit. What a rule gives authority over raises its epoch (replication/core/rules.py).

CREATE OR REPLACE FUNCTION kuroshio.get(stamps bigint[], key bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(stamps[array_position(stamps, key, 3) + 1], 0);

-- What two deletes together have seen: of each cell the greater stamp (replication/core/stamps.py, join). A stamp is compared
-- as a whole, by generation, term, epoch, moment; a cell that is not there was written at the base.
CREATE OR REPLACE FUNCTION kuroshio.join_stamps(a bigint[], b bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[max(base), 0] || coalesce(array_agg(number ORDER BY key, place) FILTER (WHERE number IS NOT NULL), '{}')
      FROM (SELECT greatest(a[1], b[1]) AS base) AS bases
      LEFT JOIN (
        SELECT DISTINCT key >> 2 << 2 AS cell FROM unnest(a[3:] || b[3:]) WITH ORDINALITY AS n(key, place)
         WHERE place % 2 = 1 AND key > 8589934592 AND key < 17179869184) AS cells ON true
      LEFT JOIN LATERAL (
        SELECT greatest(
            ARRAY[kuroshio.get(a, cell | 3), kuroshio.get(a, cell | 2), kuroshio.get(a, cell | 1),
                  coalesce(nullif(kuroshio.get(a, cell), 0), a[1])],
            ARRAY[kuroshio.get(b, cell | 3), kuroshio.get(b, cell | 2), kuroshio.get(b, cell | 1),
                  coalesce(nullif(kuroshio.get(b, cell), 0), b[1])]) AS stamp) AS greater ON true
      LEFT JOIN LATERAL (
        SELECT cell | kind AS key, number, place
          FROM (VALUES (0, nullif(stamp[4], base)), (1, nullif(stamp[3], 0)), (2, nullif(stamp[2], 0)), (3, nullif(stamp[1], 0)))
                 AS parts(kind, said),
               LATERAL (VALUES (cell | kind, 0), (said, 1)) AS pair(number, place)
         WHERE said IS NOT NULL) AS pairs ON true $$;

-- Was something written to a deleted row that the deletes had not seen (replication/core/merge.py, is_contested)? Mostly the
-- stamps are what they saw.
CREATE OR REPLACE FUNCTION kuroshio.is_contested(deleted bigint, saw bigint[], stamps bigint[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN kuroshio.newest(stamps) > deleted
        OR (saw[1] <> stamps[1] OR saw[3:] <> stamps[3:])
           AND kuroshio.join_stamps(saw, stamps) <> kuroshio.join_stamps(saw, saw);

-- kind: 0 moment, 1 epoch, 2 term, 3 generation.
CREATE OR REPLACE FUNCTION kuroshio.cell_key(column_name text, kind int) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (('x' || left(md5(column_name), 8))::bit(32)::bigint | 2147483648) << 2 | kind;

-- The first name of a column, by which its cells are known: its own, or what it was declared to have been renamed from.
CREATE OR REPLACE FUNCTION kuroshio.cell_name(rules jsonb, column_name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    former text;
BEGIN
    LOOP
        SELECT key INTO former FROM jsonb_each_text(rules->'renamed') WHERE value = column_name;
        EXIT WHEN NOT FOUND;
        column_name := former;
    END LOOP;
    RETURN column_name;
END $$;

-- A column's rule. Rules go by first names: `cell` and `owner_cell` say them where they are not the names here, and the
-- others of its group stand with their names here.
CREATE OR REPLACE FUNCTION kuroshio.rule_of(relation oid, rules jsonb, column_name text) RETURNS jsonb
    LANGUAGE sql STABLE AS $gen$
    SELECT CASE WHEN NOT rules ? 'renamed' THEN rules->'columns'->column_name
                ELSE '{"rule": "latest"}' || coalesce(rule, '{}') || jsonb_build_object('cell', cell, 'owner_cell', rules->>'owner')
                     || CASE WHEN rule ? 'group' THEN (SELECT jsonb_build_object('group', jsonb_agg(attname)) FROM pg_attribute
                         WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND rule->'group' ? kuroshio.cell_name(rules, attname))
                        ELSE '{}' END
           END
      FROM kuroshio.cell_name(rules, column_name) AS cell, LATERAL (SELECT rules->'columns'->cell AS rule) AS found $gen$;

CREATE OR REPLACE FUNCTION kuroshio.after(clock bigint, newest bigint, site int) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN clock >> 10 > newest >> 10 THEN clock ELSE ((newest >> 10) + 1) << 10 | site END;

-- Does the new value differ? By its bytes: 1.0 and 1.00 are equal and differ, and json has no equality at all. Where equal
-- means the same bytes, the type's own operator says so three times faster.
CREATE OR REPLACE FUNCTION kuroshio.differs_source(relation oid, attribute name) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT format(CASE
        WHEN t.typtype = 'e'
          OR a.atttypid::regtype IN ('uuid', 'int2', 'int4', 'int8', 'bool', 'date', 'time', 'timestamp', 'timestamptz', 'bytea')
          OR a.atttypid = 'numeric'::regtype AND a.atttypmod <> -1
          OR a.atttypid::regtype IN ('text', 'varchar') AND c.collisdeterministic
        THEN 'NEW.%1$I IS DISTINCT FROM OLD.%1$I'
        ELSE 'ROW(NEW.%1$I)::record *<> ROW(OLD.%1$I)::record' END, a.attname)
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation c ON c.oid = a.attcollation
     WHERE a.attrelid = relation AND a.attname = attribute $gen$;

-- Columns of a group differ together, so they share a stamp and travel whole (pitfall P11).
CREATE OR REPLACE FUNCTION kuroshio.group_differs_source(relation oid, column_name text, rule jsonb) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT string_agg(kuroshio.differs_source(relation, attname), ' OR ' ORDER BY attnum)
      FROM pg_attribute
     WHERE attrelid = relation AND NOT attisdropped
       AND (attname = column_name OR coalesce(rule->'group', '[]') ? attname::text) $gen$;

-- A cell's parts (replication/core/rules), folded, after a local write. Beside a row they stand by column; none: no entry.
CREATE OR REPLACE FUNCTION kuroshio.put_parts(parts jsonb, column_name text, cell jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN coalesce(cell, '{}') = '{}' THEN nullif(parts - column_name, '{}')
                ELSE coalesce(parts, '{}') || jsonb_build_object(column_name, cell) END;

-- The stamps of a row whose cell is written in a generation of its column's rule: one that the cell had in an earlier one
-- keeps nothing but its moment (replication/core/merge.py, RowRules.write).
CREATE OR REPLACE FUNCTION kuroshio.begin_generation(stamps bigint[], cell bigint, generation bigint) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    begun bigint[] := stamps[1:2];
BEGIN
    IF kuroshio.get(stamps, cell | 3) = generation THEN RETURN stamps; END IF;
    FOR i IN 3 .. cardinality(stamps) BY 2 LOOP
        IF stamps[i] NOT IN (cell | 1, cell | 2, cell | 3) THEN begun := begun || stamps[i : i + 1]; END IF;
    END LOOP;
    RETURN kuroshio.put(begun, cell | 3, generation);
END $$;

-- The parts that a write finds: of an earlier generation what it showed, as if the row had been inserted with that when it
-- was written; null where that is the row's insert.
CREATE OR REPLACE FUNCTION kuroshio.parts_found(
    stamps bigint[], parts jsonb, column_name text, cell bigint, generation bigint, rule text, shown text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    written bigint := coalesce(nullif(kuroshio.get(stamps, cell), 0), stamps[1]);
BEGIN
    IF kuroshio.get(stamps, cell | 3) = generation THEN RETURN parts->column_name; END IF;
    IF written = stamps[1] THEN RETURN NULL; END IF;
    RETURN CASE rule
        WHEN 'counter' THEN jsonb_build_object('', jsonb_build_array(written, coalesce(shown, '0')))
        WHEN 'set' THEN (SELECT jsonb_object_agg(format('+%s:%s', written & 1023, e), jsonb_build_array(written, ''))
                           FROM unnest(shown::text[]) AS e WHERE e IS NOT NULL)
        WHEN 'append' THEN CASE WHEN shown IS NOT NULL
            THEN jsonb_build_object('+' || written, jsonb_build_array(written, length(shown)::text)) END
    END;
END $$;

-- counter: one more change of this site, and the sum of all.
CREATE OR REPLACE FUNCTION kuroshio.count_change(cell jsonb, site int, change numeric) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(cell, '{}') || jsonb_build_object(site::text, jsonb_build_array(
        coalesce((cell->site::text->>0)::bigint, 0) + 1, (coalesce((cell->site::text->>1)::numeric, 0) + change)::text));

-- set: the form in which its value is shown.
CREATE OR REPLACE FUNCTION kuroshio.as_set(elements text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(e ORDER BY CASE WHEN numbers THEN e::numeric END, e COLLATE "C"), '{}')
      FROM (SELECT DISTINCT e, bool_and(e ~ '^-?[0-9]+$') OVER () AS numbers FROM unnest(elements) AS e WHERE e IS NOT NULL) AS found $$;

-- set: what this write added, and of what it removed the additions that it saw.
CREATE OR REPLACE FUNCTION kuroshio.change_set(cell jsonb, base bigint, at bigint, old text[], new text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    changed jsonb := coalesce(cell, '{}');
    element text;
    addition record;
BEGIN
    FOR element IN SELECT unnest(new) EXCEPT SELECT unnest(old) LOOP
        changed := changed || jsonb_build_object(format('+%s:%s', at & 1023, element), jsonb_build_array(at, ''));
    END LOOP;
    FOR element IN SELECT unnest(old) EXCEPT SELECT unnest(new) LOOP
        FOR addition IN
            SELECT key, value FROM jsonb_each(cell)
             WHERE key LIKE '+%' AND substr(key, position(':' IN key) + 1) = element
            UNION ALL
            SELECT format('+%s:%s', base & 1023, element), jsonb_build_array(base, '')
             WHERE NOT EXISTS (SELECT FROM jsonb_object_keys(cell) AS key WHERE substr(key, position(':' IN key) + 1) = element)
        LOOP
            changed := (changed - addition.key) || jsonb_build_object('-' || substr(addition.key, 2), addition.value);
        END LOOP;
    END LOOP;
    RETURN changed;
END $$;

-- append: a fragment more, or one in the place of all that was there. Fragments that are shown stand with their lengths.
CREATE OR REPLACE FUNCTION kuroshio.change_fragments(cell jsonb, base bigint, at bigint, old text, new text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    changed jsonb := cell;
    goes_on boolean := old IS NOT NULL AND starts_with(new, old);
BEGIN
    IF changed IS NULL AND old IS NOT NULL THEN
        changed := jsonb_build_object('+' || base, jsonb_build_array(base, length(old)::text));
    END IF;
    IF goes_on IS NOT TRUE THEN
        SELECT jsonb_object_agg('-' || substr(key, 2), '[1, ""]'::jsonb) INTO changed FROM jsonb_object_keys(changed) AS key;
    END IF;
    IF new IS NOT NULL THEN
        changed := coalesce(changed, '{}') || jsonb_build_object('+' || at, jsonb_build_array(
            at, (length(new) - CASE WHEN goes_on THEN length(old) ELSE 0 END)::text));
    END IF;
    RETURN changed;
END $$;

-- What a rule with parts, or one that refuses, adds to the update of its column.
CREATE OR REPLACE FUNCTION kuroshio.parts_source(column_name text, rule jsonb, site int) RETURNS text
    LANGUAGE sql IMMUTABLE AS $gen$
    WITH found(cell, parts, old) AS (
        SELECT coalesce(rule->>'cell', column_name),
               CASE WHEN rule ? 'generation'
                    THEN format('kuroshio.parts_found(OLD.kuroshio, OLD.kuroshio_parts, %5$L, %2$s, %3$s, %4$L, OLD.%1$I::text)', column_name,
                                kuroshio.cell_key(coalesce(rule->>'cell', column_name), 0), (rule->>'generation')::int - 1, rule->>'rule',
                                coalesce(rule->>'cell', column_name))
                    ELSE format('OLD.kuroshio_parts->%L', coalesce(rule->>'cell', column_name)) END,
               -- What an earlier generation left may have NULLs among its elements.
               format(CASE WHEN rule ? 'generation' THEN 'kuroshio.as_set(OLD.%I::text[])' ELSE 'OLD.%I::text[]' END, column_name))
    SELECT CASE rule->>'rule'
        WHEN 'counter' THEN format($$
            NEW.kuroshio_parts := kuroshio.put_parts(NEW.kuroshio_parts, %4$L,
                kuroshio.count_change(%3$s, %2$s, coalesce(NEW.%1$I, 0) - coalesce(OLD.%1$I, 0)));$$,
            column_name, site, parts, cell)
        WHEN 'set' THEN format($$
            NEW.kuroshio_parts := kuroshio.put_parts(NEW.kuroshio_parts, %4$L,
                kuroshio.change_set(%2$s, OLD.kuroshio[1], at, %3$s, NEW.%1$I::text[]));$$,
            column_name, parts, old, cell)
        WHEN 'append' THEN format($$
            NEW.kuroshio_parts := kuroshio.put_parts(NEW.kuroshio_parts, %3$L,
                kuroshio.change_fragments(%2$s, OLD.kuroshio[1], at, OLD.%1$I::text, NEW.%1$I::text));$$,
            column_name, parts, cell)
        WHEN 'frozen' THEN format($$
            IF OLD.%1$I IS NOT NULL THEN
                RAISE EXCEPTION 'column %% of %%.%% is frozen: it is set once', %1$L, TG_TABLE_SCHEMA, TG_TABLE_NAME
                    USING HINT = 'Leave it as it is, or take the rule frozen off the column in sitecfg/rules.', ERRCODE = 'object_not_in_prerequisite_state';
            END IF;$$, column_name)
        ELSE '' END
        || CASE WHEN rule->>'rule' NOT IN ('counter', 'set', 'append') AND rule->'was' ?| ARRAY['counter', 'set', 'append'] THEN format($$
            NEW.kuroshio_parts := kuroshio.put_parts(NEW.kuroshio_parts, %L, NULL);$$, cell)
        ELSE '' END
      FROM found $gen$;

-- The rule that this site's writes of a column follow. A clause for the writer takes the place of all else: it says whether
-- the write has authority, and no more, so that all sites join a cell alike (replication/core/authority.py).
CREATE OR REPLACE FUNCTION kuroshio.rule_here(rule jsonb, here text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN rule->'written_by' ? here
                THEN rule - 'owned_by' || jsonb_build_object('rule', rule->'written_by'->here, 'site', here) ELSE rule END;

-- Has this site authority over the cell? An expression over the row; null: never. What differs by the row's owner is decided
-- by the row itself, so that all sites agree.
CREATE OR REPLACE FUNCTION kuroshio.authority_source(rule jsonb, old text, owner text, here text, knows_the_owner text DEFAULT '')
    RETURNS text LANGUAGE sql IMMUTABLE AS $gen$
    WITH ruled(name, source) AS (
        SELECT key, CASE WHEN value->>'rule' = 'site' AND value->>'site' = here THEN 'true'
                         WHEN value->>'rule' = 'owner' THEN format('%s.%I::text = %L', old, owner, here) || knows_the_owner END
          FROM kuroshio.rule_here(rule, here) AS own,
               LATERAL jsonb_each(coalesce(own->'owned_by', '{}') || jsonb_build_object('', own - 'owned_by')))
    SELECT CASE WHEN count(source) = 0 THEN NULL
                WHEN count(*) = 1 THEN max(source)
                ELSE format('(CASE %s.%I::text %s ELSE %s END)', old, owner,
                            string_agg(format('WHEN %L THEN %s', name, coalesce(source, 'false')), ' ') FILTER (WHERE name <> ''),
                            coalesce(max(source) FILTER (WHERE name = ''), 'false')) END
      FROM ruled $gen$;

-- Is the cell under the rule owner, for whomever, whose writes carry the owner cell's moment? The same kind of expression.
CREATE OR REPLACE FUNCTION kuroshio.by_owner_source(rule jsonb, old text, owner text, here text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $gen$
    SELECT CASE WHEN jsonb_path_exists(rule, '$.written_by.* ? (@ == "owner")') THEN 'true'
                WHEN bool_or(is_owner) IS NOT TRUE THEN NULL
                WHEN count(*) = 1 THEN 'true'
                ELSE format('CASE %s.%I::text %s ELSE %s END', old, owner,
                            string_agg(format('WHEN %L THEN %s', name, is_owner::text), ' ') FILTER (WHERE name <> ''),
                            (bool_or(is_owner) FILTER (WHERE name = ''))::text) END
      FROM (SELECT key AS name, value->>'rule' = 'owner' AS is_owner
              FROM jsonb_each(coalesce(rule->'owned_by', '{}') || jsonb_build_object('', rule - 'owned_by'))) AS ruled $gen$;

-- One column's share of the update function, for a row without cells (all that is there is appended in key order) and for
-- one that has some. PL/pgSQL prepares each expression anew in every transaction, so what counts is how many functions,
-- operators and subscripts stand in those that are run.
CREATE OR REPLACE FUNCTION kuroshio.column_source(relation oid, column_name text, rule jsonb, owner text, first boolean) RETURNS text
    LANGUAGE plpgsql STABLE AS $gen$
DECLARE
    here kuroshio.site;
    differs text := kuroshio.group_differs_source(relation, column_name, rule);
    cell bigint := kuroshio.cell_key(coalesce(rule->>'cell', column_name), 0);
    epoch bigint := cell | 1;
    has_authority text;
    source text;
    extra text;
    by_owner text;
    generation int := (rule->>'generation')::int - 1;
BEGIN
    SELECT * INTO here FROM kuroshio.site;
    extra := coalesce(kuroshio.parts_source(column_name, rule, here.number), '');
    -- Whom a value tells of an owner cell that has not arrived here is the owner no more (pitfall P4).
    has_authority := kuroshio.authority_source(rule, 'OLD', owner, here.name, CASE WHEN first THEN '' ELSE
        format(' AND kuroshio.get(stamps, %s) <= kuroshio.get(OLD.kuroshio, %s)', cell | 2,
               kuroshio.cell_key(coalesce(rule->>'owner_cell', owner), 0)) END);
    by_owner := kuroshio.by_owner_source(rule, 'OLD', owner, here.name);
    IF rule->>'rule' IN ('greatest', 'least') THEN
        -- A correction against the direction.
        has_authority := format('NEW.%1$I IS NULL OR NEW.%1$I %2$s OLD.%1$I', column_name,
                                CASE rule->>'rule' WHEN 'greatest' THEN '<' ELSE '>' END);
    END IF;
    IF first THEN
        source := format($$
        IF %s THEN
            stamps := stamps || ARRAY[%s, at];$$, differs, cell);
        IF has_authority IS NOT NULL THEN
            source := source || format($$
            IF %s THEN stamps := stamps || ARRAY[%s, 1::bigint]; END IF;$$, has_authority, epoch);
        END IF;
        IF generation > 0 THEN
            source := source || format($$
            stamps := stamps || ARRAY[%s, %s::bigint];$$, cell | 3, generation);
        END IF;
    ELSE
        source := format($$
        IF %1$s THEN
            place := array_position(stamps, %2$s, 3);
            IF place IS NULL THEN stamps := kuroshio.put(stamps, %2$s, at); ELSE stamps[place + 1] := at; END IF;$$, differs, cell);
        IF generation > 0 THEN
            source := source || format($$
            stamps := kuroshio.begin_generation(stamps, %s, %s);$$, cell, generation);
        END IF;
        IF by_owner IS NOT NULL THEN
            source := source || format($$
            IF (%3$s) AND kuroshio.get(OLD.kuroshio, %1$s) > 0 THEN
                stamps := kuroshio.put(stamps, %2$s, greatest(kuroshio.get(stamps, %2$s), kuroshio.get(OLD.kuroshio, %1$s)));
            END IF;$$, kuroshio.cell_key(coalesce(rule->>'owner_cell', owner), 0), cell | 2, by_owner);
        END IF;
        IF has_authority IS NOT NULL THEN
            source := source || format($$
            IF %1$s THEN stamps := kuroshio.put(stamps, %2$s, kuroshio.get(stamps, %2$s) + 1); END IF;$$, has_authority, epoch);
        END IF;
    END IF;
    RETURN source || extra || $$
        END IF;$$;
END $gen$;

-- Under latest alone: the key and the moment of a column's stamp, NULL where it does not differ.
CREATE OR REPLACE FUNCTION kuroshio.edit_source(relation oid, column_name text, rule jsonb) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT format('CASE WHEN %1$s THEN %2$s END, CASE WHEN %1$s THEN at END', kuroshio.group_differs_source(relation, column_name, rule),
                  kuroshio.cell_key(coalesce(rule->>'cell', column_name), 0)) $gen$;

-- The form in which a rule shows what was typed: a sum is never NULL. What an earlier generation left stays as it is.
CREATE OR REPLACE FUNCTION kuroshio.shown_source(column_name text, type text, rule jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE AS $gen$
    SELECT CASE WHEN rule->>'rule' = 'counter' THEN format($$
    IF NEW.%1$I IS NULL AND (TG_OP = 'INSERT' OR OLD.%1$I IS NOT NULL) THEN NEW.%1$I := 0; END IF;$$, column_name)
                WHEN rule->>'rule' IS DISTINCT FROM 'set' THEN ''
                WHEN rule ? 'generation' THEN format($$
    IF TG_OP = 'INSERT' OR NEW.%1$I IS DISTINCT FROM OLD.%1$I THEN NEW.%1$I := kuroshio.as_set(NEW.%1$I::text[])::%2$s; END IF;$$, column_name, type)
                ELSE format($$
    NEW.%1$I := kuroshio.as_set(NEW.%1$I::text[])::%2$s;$$, column_name, type) END $gen$;

-- What an insert adds where this site has authority from the start, and where the rule was changed.
CREATE OR REPLACE FUNCTION kuroshio.insert_source(column_name text, rule jsonb, owner text) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT coalesce(max(format($$
    IF %s THEN NEW.kuroshio := kuroshio.put(NEW.kuroshio, %s, 1); END IF;$$, source, kuroshio.cell_key(coalesce(rule->>'cell', column_name), 1))), '')
        || CASE WHEN rule ? 'generation' THEN format($$
    NEW.kuroshio := kuroshio.put(NEW.kuroshio, %s, %s);$$, kuroshio.cell_key(coalesce(rule->>'cell', column_name), 3), (rule->>'generation')::int - 1) ELSE '' END
      FROM kuroshio.site s, kuroshio.authority_source(rule, 'NEW', owner, s.name) AS source WHERE source IS NOT NULL $gen$;

-- A generated key belongs to this site's class; a sequence that was set into another class would collide (pitfall P20).
CREATE OR REPLACE FUNCTION kuroshio.class_source(column_name text, sequence text, site int) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT format($$
    IF NEW.%1$I %% 1024 <> %2$s AND NEW.%1$I = (SELECT last_value FROM %3$s) THEN
        RAISE EXCEPTION 'the generated key %% of %%.%% is not of this site''s class (%2$s modulo 1024)', NEW.%1$I, TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING HINT = 'Run python -m replication add-table for this table again: it sets the sequence right.';
    END IF;$$, column_name, site, sequence) $gen$;

-- What an update does where a column may show something else than the row claims (replication/core/claims.py): what is
-- written is claimed no more. A reference that PostgreSQL sets to NULL because its parent was deleted is no edit.
CREATE OR REPLACE FUNCTION kuroshio.claims_source(relation oid, rules jsonb) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT coalesce($$
    NEW.kuroshio_claims := OLD.kuroshio_claims;$$ || (
        SELECT coalesce(string_agg(format($$
    IF pg_trigger_depth() > 1 AND ROW(%1$s) IS NULL AND ROW(%2$s) IS NOT NULL AND NOT EXISTS (SELECT FROM %3$s WHERE ROW(%4$s) = ROW(%2$s)) THEN
        NEW.kuroshio_claims := coalesce(OLD.kuroshio_claims, '{}') || jsonb_build_object(%5$s);
        NEW.kuroshio := OLD.kuroshio;
        RETURN NEW;
    END IF;$$, new_names, old_names, parent, parent_names, pairs), ''), '')
          FROM pg_constraint c, LATERAL (
               SELECT (SELECT format('%I.%I', n.nspname, r.relname) FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
                        WHERE r.oid = c.confrelid) AS parent,
                      string_agg(format('NEW.%I', a.attname), ', ' ORDER BY o) AS new_names,
                      string_agg(format('OLD.%I', a.attname), ', ' ORDER BY o) AS old_names,
                      string_agg(quote_ident(p.attname), ', ' ORDER BY o) AS parent_names,
                      string_agg(format('%L, OLD.%I::text', kuroshio.cell_name(rules, a.attname), a.attname), ', ' ORDER BY o) AS pairs
                 FROM unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(child, parent, o)
                 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = child
                 JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = parent) AS names
         WHERE c.contype = 'f' AND c.conrelid = relation AND rules->'unset' ? c.conname::text) || $$
    IF OLD.kuroshio_claims IS NOT NULL THEN$$ || string_agg(format($$
        IF %s THEN NEW.kuroshio_claims := NEW.kuroshio_claims - %L; END IF;$$, kuroshio.differs_source(relation, attname),
                                                                              kuroshio.cell_name(rules, attname)), '') || $$
        NEW.kuroshio_claims := nullif(NEW.kuroshio_claims, '{}');
    END IF;$$, '')
      FROM pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND rules->'claims' ? kuroshio.cell_name(rules, attname) $gen$;

-- The stamps of a row that is inserted where its tombstone stands: above all that the delete saw, in the next life.
CREATE OR REPLACE FUNCTION kuroshio.next_life(schema_name text, table_name text, row_key text[], clock bigint, site int) RETURNS bigint[]
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY[kuroshio.after(clock, g.newest, site), g.newest, 8589934592, g.life + 1]
      FROM (SELECT life, greatest(deleted, kuroshio.newest(saw), kuroshio.newest(stamps)) AS newest FROM kuroshio.tombstone
             WHERE nspname = schema_name AND relname = table_name AND key = row_key) AS g $$;

-- For the insert triggers alone, which run as its owner: nobody else may ask what was deleted.
REVOKE EXECUTE ON FUNCTION kuroshio.next_life FROM PUBLIC;

-- The functions of triggers write tombstones as their owner. A trigger that is there fires for everybody; to make another of
-- one, on a table of one's own, is what takes EXECUTE.
CREATE OR REPLACE FUNCTION kuroshio.keep_to_its_trigger(function_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE EXECUTE ON FUNCTION kuroshio.%I() FROM PUBLIC', function_name);
END $$;

CREATE OR REPLACE FUNCTION kuroshio.refuse_relation(relation oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the trigger of a replicated table stands on %, which it was not made for', relation::regclass
        USING HINT = 'After a restore, run python -m replication init.', ERRCODE = 'object_not_in_prerequisite_state';
END $$;

-- The functions and triggers of one table. An insert leaves the tombstone of an earlier life where it is: an INSERT ... ON
-- CONFLICT DO NOTHING may yet come to nothing (pitfall P6), and the row's own life says that it is over.
CREATE OR REPLACE FUNCTION kuroshio.generate(schema_name text, table_name text) RETURNS void
    LANGUAGE plpgsql AS $gen$
DECLARE
    relation regclass := format('%I.%I', schema_name, table_name)::regclass;
    suffix text := left(md5(schema_name || '.' || table_name), 12);
    here kuroshio.site;
    replicated kuroshio.replicated_table;
    own text; key_text_new text; key_text_old text; key_differs text;
    first_updates text; updates text; inserts text; shown text; first_edits text; more_inserts text; classes text; image text; clock text;
    pinned constant text := 'SET TimeZone = ''UTC'' SET DateStyle = ''ISO, YMD'' SET IntervalStyle = postgres'
                            ' SET extra_float_digits = 3 SET bytea_output = hex SET lc_monetary = ''C''';
    plain_key boolean;
    parted boolean;
    claims text;
    head text;
BEGIN
    SELECT * INTO STRICT here FROM kuroshio.site;
    SELECT * INTO STRICT replicated FROM kuroshio.replicated_table r WHERE r.nspname = schema_name AND r.relname = table_name;
    SELECT attname INTO own FROM pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND kuroshio.cell_name(replicated.rules, attname) = replicated.rules->>'owner';
    -- µs since 2000-01-01 << 10 | site: the offset of the epochs is shifted here, once.
    clock := format('((pg_catalog.date_part(''epoch'', pg_catalog.transaction_timestamp()) OPERATOR(pg_catalog.*) 1000000)::bigint'
                    ' OPERATOR(pg_catalog.<<) 10) OPERATOR(pg_catalog.+) %s', here.number - 969405235200000000);
    SELECT string_agg(kuroshio.differs_source(relation, k), ' OR ' ORDER BY o),
           string_agg(format('NEW.%I::pg_catalog.text', k), ', ' ORDER BY o), string_agg(format('OLD.%I::text', k), ', ' ORDER BY o)
      INTO key_differs, key_text_new, key_text_old
      FROM unnest(replicated.key_columns) WITH ORDINALITY AS u(k, o);
    -- The text of these types does not depend on the session's settings.
    SELECT bool_and(a.atttypid::regtype IN ('uuid', 'int2', 'int4', 'int8', 'text', 'varchar', 'bpchar', 'numeric', 'bool'))
      INTO plain_key FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (replicated.key_columns);
    SELECT coalesce(string_agg(kuroshio.column_source(a.attrelid, attname, kuroshio.rule_of(relation, replicated.rules, attname), own, true), ''
                               ORDER BY kuroshio.cell_key(kuroshio.cell_name(replicated.rules, attname), 0)), ''),
           coalesce(string_agg(kuroshio.column_source(a.attrelid, attname, kuroshio.rule_of(relation, replicated.rules, attname), own, false), ''
                               ORDER BY kuroshio.cell_key(kuroshio.cell_name(replicated.rules, attname), 0)), ''),
           coalesce(string_agg(kuroshio.insert_source(attname, kuroshio.rule_of(relation, replicated.rules, attname), own), ''), ''),
           coalesce(string_agg(kuroshio.shown_source(attname, format_type(atttypid, atttypmod), kuroshio.rule_of(relation, replicated.rules, attname)), ''), '')
      INTO first_updates, updates, inserts, shown
      FROM pg_attribute a
     WHERE a.attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
       AND attname NOT IN ('kuroshio', 'kuroshio_parts', 'kuroshio_claims') AND attname <> ALL (replicated.key_columns);
    SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = 'kuroshio_parts' AND NOT attisdropped) INTO parted;
    claims := kuroshio.claims_source(relation, replicated.rules);
    -- Where every column follows latest, one expression says which are fresh.
    SELECT string_agg(kuroshio.edit_source(a.attrelid, attname, kuroshio.rule_of(relation, replicated.rules, attname)), ', ' ORDER BY kuroshio.cell_key(kuroshio.cell_name(replicated.rules, attname), 0))
      INTO first_edits
      FROM pg_attribute a
     WHERE a.attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
       AND attname NOT IN ('kuroshio', 'kuroshio_parts', 'kuroshio_claims') AND attname <> ALL (replicated.key_columns)
       AND NOT EXISTS (SELECT FROM jsonb_each(replicated.rules->'columns') WHERE value->>'rule' <> 'latest' OR value ? 'owned_by' OR value ? 'written_by' OR value ? 'generation');
    SELECT coalesce(string_agg(part, ' || '), '''{}''::jsonb') INTO image FROM (
        SELECT 'jsonb_build_object(' || string_agg(format('%L, OLD.%I::text', kuroshio.cell_name(replicated.rules, attname), attname), ', ') || ')' AS part
          FROM (SELECT attname::text, row_number() OVER (ORDER BY attnum) / 40 AS chunk FROM pg_attribute
                 WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                   AND attname NOT IN ('kuroshio', 'kuroshio_parts', 'kuroshio_claims') AND attname <> ALL (replicated.key_columns)) AS c
         GROUP BY chunk) AS parts;
    IF claims <> '' THEN image := image || ' || coalesce(OLD.kuroshio_claims, ''{}'')'; END IF;
    SELECT coalesce(string_agg(kuroshio.class_source(attname, pg_get_serial_sequence(relation::text, attname), here.number), ''), '')
      INTO classes
      FROM pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND pg_get_serial_sequence(relation::text, attname) IS NOT NULL;
    head := 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp ';

    -- It reads tombstones, which a writer may not. Where nothing is added to it, all that it uses is named in full, so that
    -- a caller's search path cannot reach into it: pinning one costs as much as all the rest.
    more_inserts := inserts || classes || shown || CASE WHEN parted THEN ' NEW.kuroshio_parts := NULL;' ELSE '' END
        || CASE WHEN claims <> '' THEN ' NEW.kuroshio_claims := NULL;' ELSE '' END;
    EXECUTE format($$CREATE OR REPLACE FUNCTION kuroshio.%I() RETURNS trigger %s AS $body$
BEGIN
    IF pg_catalog.pg_replication_origin_session_is_setup() THEN RETURN NEW; END IF;
    NEW.kuroshio := ARRAY[%s, 0];
    PERFORM FROM kuroshio.tombstone
      WHERE nspname OPERATOR(pg_catalog.=) %L AND relname OPERATOR(pg_catalog.=) %L AND key OPERATOR(pg_catalog.=) ARRAY[%s];
    IF FOUND THEN NEW.kuroshio := kuroshio.next_life(%L, %L, ARRAY[%s], NEW.kuroshio[1], %s); END IF;%s
    RETURN NEW;
END $body$ $$, 'on_insert_' || suffix, CASE WHEN more_inserts = '' AND plain_key THEN 'LANGUAGE plpgsql SECURITY DEFINER' ELSE head || CASE WHEN plain_key THEN '' ELSE pinned END END,
        clock, schema_name, table_name, key_text_new, schema_name, table_name, key_text_new, here.number, more_inserts);

    -- It needs no right but its caller's, and no pinned search path: each operator in it is one of built-in types, which
    -- pg_catalog has. Setting a path costs as much as all the rest.
    EXECUTE format($$CREATE OR REPLACE FUNCTION kuroshio.%I() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    stamps bigint[];
    newest bigint;
    at bigint;
    place int;
BEGIN
    IF pg_replication_origin_session_is_setup() THEN RETURN NEW; END IF;
    IF %s THEN
        RAISE EXCEPTION 'the primary key of %%.%% cannot be changed: the table is replicated', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING HINT = 'Insert the row under its new key and delete the old one.', ERRCODE = 'feature_not_supported';
    END IF;
    %s
    -- Epochs and terms stand among these, and are never greater than the newest moment; (newest | 1023) + 1 is the next
    -- microsecond.
    newest := greatest(OLD.kuroshio[1], OLD.kuroshio[2], OLD.kuroshio[4], OLD.kuroshio[6]);
    IF OLD.kuroshio[3] IS NULL THEN
        at := greatest(%s, (newest | 1023) + %s);
        stamps := ARRAY[OLD.kuroshio[1], newest]%s
    ELSE
        stamps := OLD.kuroshio;
        IF stamps[8] IS NOT NULL THEN
            newest := CASE WHEN cardinality(stamps) <= 18
                THEN greatest(newest, stamps[8], stamps[10], stamps[12], stamps[14], stamps[16], stamps[18])
                ELSE kuroshio.newest(stamps) END;
        END IF;
        at := greatest(%s, (newest | 1023) + %s);
        stamps[2] := newest;%s
    END IF;
    NEW.kuroshio := stamps;
    RETURN NEW;
END $body$ $$, 'on_update_' || suffix, key_differs,
        kuroshio.mask_source(relation, replicated.rules) || shown
            || CASE WHEN parted THEN ' NEW.kuroshio_parts := OLD.kuroshio_parts;' ELSE '' END || claims,
        clock, here.number + 1, coalesce(' || array_remove(ARRAY[' || first_edits || ']::bigint[], NULL);', ';' || first_updates),
        clock, here.number + 1, updates);

    EXECUTE format($$CREATE OR REPLACE FUNCTION kuroshio.%I() RETURNS trigger %s AS $body$
DECLARE
    newest bigint := kuroshio.newest(OLD.kuroshio);
BEGIN
    IF pg_replication_origin_session_is_setup() THEN RETURN OLD; END IF;
    IF TG_RELID <> %s THEN PERFORM kuroshio.refuse_relation(TG_RELID); END IF;
    -- BEFORE, as an AFTER trigger of a cascaded delete is queued, and fires when the referential action has returned (pitfall P7).
    INSERT INTO kuroshio.tombstone (nspname, relname, key, life, deleted, saw, stamps, cells, parts, referential, passed)
    VALUES (%L, %L, ARRAY[%s], greatest(kuroshio.get(OLD.kuroshio, 8589934592), 1),
            kuroshio.after(kuroshio.moment(%s), newest, %s), OLD.kuroshio, OLD.kuroshio, %s, %s, pg_trigger_depth() > 1, %L)
    ON CONFLICT (nspname, relname, key) DO UPDATE SET life = excluded.life, deleted = excluded.deleted,
        saw = CASE WHEN tombstone.life = excluded.life THEN kuroshio.join_stamps(tombstone.saw, excluded.saw) ELSE excluded.saw END,
        -- Who was deleted by a person, too, does not come back with a parent.
        referential = excluded.referential AND (tombstone.referential OR tombstone.deleted = 0 OR tombstone.life < excluded.life),
        stamps = excluded.stamps, cells = excluded.cells, parts = excluded.parts, passed = tombstone.passed || excluded.passed,
        hidden = '', xid = excluded.xid, settled = false, stable = false, known_since = excluded.known_since
     WHERE tombstone.life <= excluded.life;
    RETURN OLD;
END $body$ $$, 'on_delete_' || suffix, head || pinned, relation::oid, schema_name, table_name, key_text_old, here.number, here.number, image,
        CASE WHEN parted THEN 'OLD.kuroshio_parts' ELSE 'NULL' END,
        jsonb_build_object(here.name, NULL));

    PERFORM kuroshio.keep_to_its_trigger(name || suffix) FROM unnest(ARRAY['on_insert_', 'on_update_', 'on_delete_']) AS name;
    EXECUTE format($$
        CREATE OR REPLACE TRIGGER "~~kuroshio_insert" BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION kuroshio.%2$I();
        CREATE OR REPLACE TRIGGER "~~kuroshio_update" BEFORE UPDATE ON %1$s FOR EACH ROW EXECUTE FUNCTION kuroshio.%3$I();
        CREATE OR REPLACE TRIGGER "~~kuroshio_delete" BEFORE DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION kuroshio.%4$I();
        CREATE OR REPLACE TRIGGER "~~kuroshio_truncate" BEFORE TRUNCATE ON %1$s FOR EACH STATEMENT EXECUTE FUNCTION kuroshio.refuse_truncate();
        ALTER TABLE %1$s ENABLE ALWAYS TRIGGER "~~kuroshio_insert", ENABLE ALWAYS TRIGGER "~~kuroshio_update",
             ENABLE ALWAYS TRIGGER "~~kuroshio_delete", ENABLE ALWAYS TRIGGER "~~kuroshio_truncate";
    $$, relation, 'on_insert_' || suffix, 'on_update_' || suffix, 'on_delete_' || suffix);
    PERFORM kuroshio.generate_moves(schema_name, table_name);
END $gen$;

-- Follows DDL. The columns that the functions were made for are compared first: generating alters the table, too. Types
-- count: who has run a function before would run it with the old ones.
CREATE OR REPLACE FUNCTION kuroshio.follow_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    replicated record;
    cells text[];
    refused text;
BEGIN
    FOR replicated IN
        SELECT DISTINCT ON (r.nspname, r.relname) r.*, now.columns AS now, now.types AS now_types
          FROM pg_event_trigger_ddl_commands() d
          JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN kuroshio.replicated_table r ON r.nspname = n.nspname AND r.relname = c.relname
         CROSS JOIN LATERAL (SELECT jsonb_object_agg(attnum, attname) AS columns,
                                    jsonb_object_agg(attnum, format_type(atttypid, atttypmod)) AS types
                               FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS now
    LOOP
        CONTINUE WHEN replicated.now = replicated.columns AND replicated.now_types = replicated.types;
        IF EXISTS (SELECT FROM jsonb_each_text(replicated.now) n JOIN jsonb_each_text(replicated.columns) o USING (key)
                    WHERE kuroshio.cell_name(replicated.rules, n.value) <> kuroshio.cell_name(replicated.rules, o.value)) THEN
            RAISE EXCEPTION 'a column of %.% cannot be renamed: the table is replicated', replicated.nspname, replicated.relname
                USING HINT = 'Declare it first: renamed = { old = "new" } in sitecfg/rules, then python -m replication add-table.',
                      ERRCODE = 'feature_not_supported';
        END IF;
        SELECT array_agg(kuroshio.cell_name(replicated.rules, value)) INTO cells FROM jsonb_each_text(replicated.now);
        SELECT cell INTO refused FROM unnest(cells) AS cell GROUP BY cell HAVING count(*) > 1;
        IF FOUND THEN
            RAISE EXCEPTION 'column % of %.% is declared to be renamed, and there are two of it', refused, replicated.nspname, replicated.relname
                USING HINT = 'Rename the column: ALTER TABLE ... RENAME COLUMN.', ERRCODE = 'feature_not_supported';
        END IF;
        SELECT cell INTO refused FROM unnest(cells) AS cell WHERE cell = ANY (replicated.dropped);
        IF FOUND THEN
            RAISE EXCEPTION 'a column % was dropped from %.% here, and its values let go: the name cannot be used again', refused, replicated.nspname, replicated.relname
                USING HINT = 'Add the column under another name.', ERRCODE = 'feature_not_supported';
        END IF;
        UPDATE kuroshio.replicated_table r SET columns = replicated.now, types = replicated.now_types, dropped = r.dropped || ARRAY(
            SELECT kuroshio.cell_name(r.rules, value) FROM jsonb_each_text(replicated.columns) EXCEPT SELECT unnest(cells))
         WHERE r.nspname = replicated.nspname AND r.relname = replicated.relname;
        PERFORM kuroshio.generate(replicated.nspname, replicated.relname);
    END LOOP;
END $$;

-- ADD COLUMN with a volatile default would give each site its own values under one stamp.
CREATE OR REPLACE FUNCTION kuroshio.refuse_volatile_default() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_event_trigger_table_rewrite_reason() & 2 <> 0 AND EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN kuroshio.replicated_table r ON r.nspname = n.nspname AND r.relname = c.relname
         WHERE c.oid = pg_event_trigger_table_rewrite_oid()) THEN
        RAISE EXCEPTION 'a column with a volatile default cannot be added to a replicated table: each site would fill in its own values'
            USING HINT = 'Add the column without a default, fill it at one site, then set the default.', ERRCODE = 'feature_not_supported';
    END IF;
END $$;

-- The triggers' functions spell values as text, as their owner: a cast by a function of who owns a type would run as that.
CREATE OR REPLACE FUNCTION kuroshio.refuse_cast() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'a cast cannot be made in a database under replication: replication would run it with its own rights'
            USING HINT = 'Have the administrator of the database make it.', ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

DO $$
DECLARE
    made record;
BEGIN
    FOR made IN SELECT format_type(castsource, NULL) AS source, format_type(casttarget, NULL) AS target FROM pg_cast
                  JOIN pg_proc p ON p.oid = castfunc JOIN pg_roles r ON r.oid = p.proowner WHERE NOT rolsuper LOOP
        RAISE EXCEPTION 'the cast of % to % runs code of a role that is no superuser: replication would run it with its own rights', made.source, made.target
            USING HINT = 'Drop the cast, or give its function to the administrator of the database.', ERRCODE = 'object_not_in_prerequisite_state';
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'kuroshio_refuse_cast') THEN
        CREATE EVENT TRIGGER kuroshio_refuse_cast ON ddl_command_start WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION kuroshio.refuse_cast();
        ALTER EVENT TRIGGER kuroshio_refuse_cast ENABLE ALWAYS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'kuroshio_follow_ddl') THEN
        CREATE EVENT TRIGGER kuroshio_follow_ddl ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION kuroshio.follow_ddl();
        CREATE EVENT TRIGGER kuroshio_refuse_volatile_default ON table_rewrite EXECUTE FUNCTION kuroshio.refuse_volatile_default();
        ALTER EVENT TRIGGER kuroshio_follow_ddl ENABLE ALWAYS;
        ALTER EVENT TRIGGER kuroshio_refuse_volatile_default ENABLE ALWAYS;
    END IF;
END $$;
