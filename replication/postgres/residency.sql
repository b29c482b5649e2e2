-- Who receives what (replication/core/views.py): what a site keeps for it, and the triggers of tables with such rules.

-- Carries whole rows into the WAL: who may see a row has changed, so it goes as it stands to those who see it newly. The
-- captured insert is what travels; the row itself is deleted in its own transaction and never seen. With ``deleted``: a
-- tombstone, for who knows the row and not its delete.
CREATE TABLE IF NOT EXISTS kuroshio.whole (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    life         bigint NOT NULL DEFAULT 1,
    deleted      bigint,
    saw          bigint[],
    referential  boolean NOT NULL DEFAULT false,
    stamps       bigint[],
    cells        jsonb NOT NULL,               -- column -> text form
    parts        jsonb,
    before       jsonb NOT NULL                -- what the deciding columns held, a list of objects; or, where the rules
);                                             -- changed and not the row, the sites that are to have it

-- The same, of moves that apply has seen: apply's own writes are never captured, so capture passes these on.
CREATE TABLE IF NOT EXISTS kuroshio.moved (LIKE kuroshio.whole INCLUDING ALL);

-- Rows that were here and are not shared with this site any more: the key, and the stamp of the cell that says so. A late,
-- older change does not bring such a row back; a whole one that says otherwise later does.
CREATE TABLE IF NOT EXISTS kuroshio.withheld (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    life         bigint NOT NULL,
    stamps       bigint[] NOT NULL,            -- of the deciding cell alone
    value        text,                         -- what it holds
    PRIMARY KEY (nspname, relname, key)
);

-- Copies that their own site wrote and is not entitled to; apply takes them away.
CREATE TABLE IF NOT EXISTS kuroshio.leaving (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL
);

-- What each site sees of a table, by the rules: those in force since all that they let anybody have was sent, oldest first,
-- and those in force now. Where there are several, this site sends what it owes (replication/apply/sharing.py).
CREATE TABLE IF NOT EXISTS kuroshio.audience (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    audiences    jsonb NOT NULL,
    passed       int NOT NULL,                 -- up to where that is sent
    reached      text[],
    PRIMARY KEY (nspname, relname)
);

-- Under which version of the rules each origin, and this site, writes; and where that begins.
ALTER TABLE kuroshio.position ADD COLUMN IF NOT EXISTS rules text NOT NULL DEFAULT '';
ALTER TABLE kuroshio.position ADD COLUMN IF NOT EXISTS rules_from pg_lsn NOT NULL DEFAULT '0/0';
ALTER TABLE kuroshio.capture ADD COLUMN IF NOT EXISTS rules text NOT NULL DEFAULT '';

-- The views that this site's streams are made for.
ALTER TABLE kuroshio.capture ADD COLUMN IF NOT EXISTS views text[] NOT NULL DEFAULT '{""}';

-- What apply noted of moves goes into this site's stream.
CREATE OR REPLACE FUNCTION kuroshio.pass_on() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM kuroshio.moved) THEN RETURN; END IF;
    WITH passed AS (DELETE FROM kuroshio.moved RETURNING *)
    INSERT INTO kuroshio.whole (nspname, relname, key, life, deleted, saw, referential, stamps, cells, parts, before)
    SELECT nspname, relname, key, life, deleted, saw, referential, stamps, cells, parts, before FROM passed;
    DELETE FROM kuroshio.whole;
END $$;

CREATE OR REPLACE FUNCTION kuroshio.mask_key(column_name text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN kuroshio.cell_key(column_name, 0) | 17179869184;

-- A masked cell stands for a value that is elsewhere: whoever wrote over it would overwrite what they have not seen.
CREATE OR REPLACE FUNCTION kuroshio.mask_source(relation oid, rules jsonb) RETURNS text
    LANGUAGE sql STABLE AS $gen$
    SELECT coalesce(string_agg(format($$
    IF (%s) AND kuroshio.get(OLD.kuroshio, %s) > 0 THEN
        RAISE EXCEPTION 'column %% of %%.%% is masked at this site and cannot be changed here', %L, TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING HINT = 'Change it at a site that receives it: python -m sitecfg rules says which.', ERRCODE = 'object_not_in_prerequisite_state';
    END IF;$$, kuroshio.group_differs_source(relation, a.attname, rules->'columns'->name), kuroshio.mask_key(name), a.attname), ''), '')
      FROM pg_attribute a, kuroshio.cell_name(rules, a.attname) AS name
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND rules->'columns'->name ? 'masked' $gen$;

-- The stamps without the marks of what is masked here: the merged state.
CREATE OR REPLACE FUNCTION kuroshio.unmarked(stamps bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT array_agg(number ORDER BY place) FROM unnest(stamps) WITH ORDINALITY AS s(number, place)
             WHERE place < 3 OR stamps[place - (place - 3) % 2] < 17179869184);

-- The triggers of a table that is decided by columns: an update of one of these carries the row whole, and what is written
-- here for others alone does not stay.
CREATE OR REPLACE FUNCTION kuroshio.generate_moves(schema_name text, table_name text) RETURNS void
    LANGUAGE plpgsql AS $gen$
DECLARE
    relation regclass := format('%I.%I', schema_name, table_name)::regclass;
    suffix text := left(md5(schema_name || '.' || table_name), 12);
    replicated kuroshio.replicated_table;
    key_text text; image text; before text; moves text; parts text; strays text;
BEGIN
    SELECT * INTO STRICT replicated FROM kuroshio.replicated_table r WHERE r.nspname = schema_name AND r.relname = table_name;
    SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', a.attname), ' OR '),
           'jsonb_build_object(' || string_agg(format('%L, OLD.%I::text', name, a.attname), ', ') || ')'
      INTO moves, before
      FROM jsonb_array_elements_text(replicated.rules->'deciding') AS name
      JOIN pg_attribute a ON a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
       AND kuroshio.cell_name(replicated.rules, a.attname) = name;
    IF moves IS NULL THEN
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relation AND tgname = '~~kuroshio_move') THEN
            EXECUTE format('DROP TRIGGER "~~kuroshio_move" ON %s', relation);
        END IF;
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relation AND tgname = '~~kuroshio_stray') THEN
            EXECUTE format('DROP TRIGGER "~~kuroshio_stray" ON %s', relation);
        END IF;
        RETURN;
    END IF;
    SELECT string_agg(format('NEW.%I::text', k), ', ' ORDER BY o) INTO key_text
      FROM unnest(replicated.key_columns) WITH ORDINALITY AS u(k, o);
    SELECT coalesce(string_agg(format('jsonb_build_object(%L, NEW.%I::text)', kuroshio.cell_name(replicated.rules, attname), attname), ' || '), '''{}''::jsonb') INTO image
      FROM pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
       AND attname NOT IN ('kuroshio', 'kuroshio_parts', 'kuroshio_claims') AND attname <> ALL (replicated.key_columns);
    -- What the row claims, and not what it shows instead (replication/core/claims.py).
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = 'kuroshio_claims' AND NOT attisdropped) THEN
        image := image || ' || coalesce(NEW.kuroshio_claims, ''{}'')';
    END IF;
    SELECT CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = 'kuroshio_parts' AND NOT attisdropped)
                THEN 'NEW.kuroshio_parts' ELSE 'NULL' END INTO parts;
    EXECUTE format($$CREATE OR REPLACE FUNCTION kuroshio.%I() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD'
SET IntervalStyle = postgres SET extra_float_digits = 3 SET bytea_output = hex SET lc_monetary = 'C' AS $body$
DECLARE
    carrier bigint;
BEGIN
    IF pg_replication_origin_session_is_setup() THEN RETURN NULL; END IF;
    IF TG_RELID <> %s THEN PERFORM kuroshio.refuse_relation(TG_RELID); END IF;
    INSERT INTO kuroshio.whole (nspname, relname, key, life, stamps, cells, parts, before)
    VALUES (%L, %L, ARRAY[%s], greatest(kuroshio.get(NEW.kuroshio, 8589934592), 1), NEW.kuroshio, %s, %s, jsonb_build_array(%s))
    RETURNING id INTO carrier;
    DELETE FROM kuroshio.whole WHERE id = carrier;
    INSERT INTO kuroshio.leaving (nspname, relname, key) VALUES (%L, %L, ARRAY[%s]);
    RETURN NULL;
END $body$ $$, 'on_move_' || suffix, relation::oid, schema_name, table_name, key_text, image, parts, before, schema_name, table_name, key_text);
    PERFORM kuroshio.keep_to_its_trigger('on_move_' || suffix);
    EXECUTE format($$
        CREATE OR REPLACE TRIGGER "~~kuroshio_move" AFTER UPDATE ON %1$s FOR EACH ROW WHEN (%2$s) EXECUTE FUNCTION kuroshio.%3$I();
        ALTER TABLE %1$s ENABLE ALWAYS TRIGGER "~~kuroshio_move";
    $$, relation, moves, 'on_move_' || suffix);
    SELECT CASE WHEN count(*) > 0 THEN format('NEW.%I::text = ANY (%L)', max(a.attname), array_agg(value)) END INTO strays
      FROM jsonb_each(replicated.rules->'share'->'map') AS m(value, sites), kuroshio.site s, pg_attribute a
     WHERE NOT sites ? s.name AND a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
       AND kuroshio.cell_name(replicated.rules, a.attname) = replicated.rules->'share'->>'column';
    IF strays IS NULL THEN
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relation AND tgname = '~~kuroshio_stray') THEN
            EXECUTE format('DROP TRIGGER "~~kuroshio_stray" ON %s', relation);
        END IF;
        RETURN;
    END IF;
    EXECUTE format($$CREATE OR REPLACE FUNCTION kuroshio.%I() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD'
SET IntervalStyle = postgres SET extra_float_digits = 3 SET bytea_output = hex SET lc_monetary = 'C' AS $body$
BEGIN
    IF pg_replication_origin_session_is_setup() THEN RETURN NULL; END IF;
    IF TG_RELID <> %s THEN PERFORM kuroshio.refuse_relation(TG_RELID); END IF;
    INSERT INTO kuroshio.leaving (nspname, relname, key) VALUES (%L, %L, ARRAY[%s]);
    RETURN NULL;
END $body$ $$, 'on_stray_' || suffix, relation::oid, schema_name, table_name, key_text);
    PERFORM kuroshio.keep_to_its_trigger('on_stray_' || suffix);
    EXECUTE format($$
        CREATE OR REPLACE TRIGGER "~~kuroshio_stray" AFTER INSERT ON %1$s FOR EACH ROW WHEN (%2$s) EXECUTE FUNCTION kuroshio.%3$I();
        ALTER TABLE %1$s ENABLE ALWAYS TRIGGER "~~kuroshio_stray";
    $$, relation, strays, 'on_stray_' || suffix);
END $gen$;
