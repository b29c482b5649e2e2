-- The schema kuroshio: what replication keeps in each site's database. Every statement may run again.
-- Moments, stamps and their array form are those of replication/core/stamps.py.

CREATE SCHEMA IF NOT EXISTS kuroshio;

-- This site. The incarnation names the log in force; lineage lists the logs of this LSN space, oldest first.
CREATE TABLE IF NOT EXISTS kuroshio.site (
    singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    name         text NOT NULL,
    number       int NOT NULL CHECK (number BETWEEN 1 AND 1023),
    incarnation  text NOT NULL,
    lineage      jsonb NOT NULL
);

-- All sites: moments name them by number.
CREATE TABLE IF NOT EXISTS kuroshio.site_number (
    name         text PRIMARY KEY,
    number       int NOT NULL UNIQUE
);

-- The versions of the rules that this site has had: what was written under another one is not guessed at (pitfall P13).
CREATE TABLE IF NOT EXISTS kuroshio.rules_version (
    version      text PRIMARY KEY,
    adopted_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS kuroshio.replicated_table (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key_columns  text[] NOT NULL,
    columns      jsonb NOT NULL DEFAULT '{}',   -- attnum -> name, as the triggers know them
    rules        jsonb NOT NULL DEFAULT '{}',   -- owner, delete, columns: as the site's configuration says
    added_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (nspname, relname)
);

-- The columns that were dropped here: their values are not waited for, and their names are not used again.
ALTER TABLE kuroshio.replicated_table ADD COLUMN IF NOT EXISTS dropped text[] NOT NULL DEFAULT '{}';
ALTER TABLE kuroshio.replicated_table ADD COLUMN IF NOT EXISTS types jsonb NOT NULL DEFAULT '{}';   -- attnum -> type, as the triggers know them
-- Under which rules of delete, unique and parent what is shown was derived; null: it is not known.
ALTER TABLE kuroshio.replicated_table ADD COLUMN IF NOT EXISTS derived jsonb;

-- A row that is not in its table: deleted, or hidden (replication/core/claims.py); then the image is the row.
--
-- A deleted row is inserted by the delete trigger, and captured: this insert is the delete on the wire (pitfall P15).
-- The last image stays until every site has passed the delete, because a concurrent edit may bring the row back. How it
-- goes: replication/postgres/tombstones.py.
CREATE TABLE IF NOT EXISTS kuroshio.tombstone (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    life         bigint NOT NULL DEFAULT 1,
    deleted      bigint NOT NULL,           -- moment
    saw          bigint[] NOT NULL,         -- the stamps that the delete saw
    stamps       bigint[],                  -- of the image; null: the insert was never seen here
    cells        jsonb NOT NULL DEFAULT '{}',   -- column -> text form
    parts        jsonb,                         -- of the image, as the row kept them
    hidden       text NOT NULL DEFAULT '',      -- why a row that exists is not in its table; '': it does not exist
    referential  boolean NOT NULL DEFAULT false, -- made inside a referential action
    passed       jsonb NOT NULL DEFAULT '{}',    -- origin -> LSN that every site must claim before this may go on; null: not known yet
    xid          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    settled      boolean NOT NULL DEFAULT false, -- nobody here writes any more who had not seen it
    stable       boolean NOT NULL DEFAULT false, -- every site claims what it needs
    known_since  timestamptz NOT NULL DEFAULT now(), -- when what stands here was written, or heard of, last
    PRIMARY KEY (nspname, relname, key)
);
ALTER TABLE kuroshio.tombstone ADD COLUMN IF NOT EXISTS known_since timestamptz NOT NULL DEFAULT now();
CREATE INDEX IF NOT EXISTS tombstone_unsettled ON kuroshio.tombstone (xid) WHERE NOT settled;
CREATE INDEX IF NOT EXISTS tombstone_held ON kuroshio.tombstone (nspname, relname, key) WHERE (stamps IS NULL OR hidden = 'fallen') AND saw[1] > 0;
CREATE INDEX IF NOT EXISTS tombstone_hidden ON kuroshio.tombstone (nspname, relname, key) WHERE hidden <> '';

-- Up to where each origin's changes (and its own) are applied here, and seen by whoever still writes.
CREATE TABLE IF NOT EXISTS kuroshio.settled (
    origin       text PRIMARY KEY,
    lsn          pg_lsn NOT NULL DEFAULT '0/0',
    wanted       pg_lsn NOT NULL DEFAULT '0/0'   -- what the tombstones here need
);

-- The same, as each site has told the others in its stream: a claim lies in the WAL behind every write that it speaks of,
-- so who has applied the claim has applied these.
CREATE TABLE IF NOT EXISTS kuroshio.claim (
    reader       text NOT NULL,
    origin       text NOT NULL,
    lsn          pg_lsn NOT NULL,
    PRIMARY KEY (reader, origin)
);

-- What two deletes of one row need together: of each origin the greater LSN; one that is not known yet stays so.
CREATE OR REPLACE FUNCTION kuroshio.join_needs(a jsonb, b jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(origin, lsn), '{}')
      FROM (SELECT key AS origin, CASE WHEN bool_and(value IS NOT NULL) THEN max(value::pg_lsn) END AS lsn
              FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) AS needs
             GROUP BY key) AS joined $$;

-- A committed row in a captured table: a point in this site's stream (pitfall P15).
CREATE TABLE IF NOT EXISTS kuroshio.fence (
    site         text PRIMARY KEY,
    number       bigint NOT NULL DEFAULT 0
);

-- How often apply has looked after the rows that follow from others (replication/apply/releasing.py).
CREATE TABLE IF NOT EXISTS kuroshio.look (
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    number       bigint NOT NULL DEFAULT 0
);
INSERT INTO kuroshio.look DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Up to where each origin is applied here; written in the transaction of the origin's rows (invariants 1 and 2).
CREATE TABLE IF NOT EXISTS kuroshio.position (
    origin       text PRIMARY KEY,
    incarnation  text NOT NULL,
    lsn          pg_lsn NOT NULL,
    xid          bigint NOT NULL DEFAULT 0,
    commit_time  timestamptz,
    published_at timestamptz,
    changes      bigint NOT NULL DEFAULT 0,  -- of the origin's life, up to lsn
    stream       text NOT NULL DEFAULT '',   -- where it was read, and
    stream_offset bigint NOT NULL DEFAULT 0  -- the broker's offset: only a hint
);

ALTER TABLE kuroshio.position ADD COLUMN IF NOT EXISTS complete_at timestamptz; -- what the origin had committed by then is applied

-- How reading an origin goes; written outside of the rows' transactions.
CREATE TABLE IF NOT EXISTS kuroshio.reading (
    origin       text PRIMARY KEY,
    state        text NOT NULL,              -- connecting, running, stopped
    reason       text NOT NULL DEFAULT '',
    lane         text NOT NULL DEFAULT 'live',
    heard_at     timestamptz,                -- a message arrived
    clock_offset_seconds double precision,   -- the origin's clock minus ours, at least
    head_lsn     pg_lsn,                     -- the newest that is known of the origin
    head_changes bigint NOT NULL DEFAULT 0,
    refused      bigint NOT NULL DEFAULT 0,  -- messages with a false signature
    duplicates   bigint NOT NULL DEFAULT 0,
    retries      bigint NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

-- What the other sites have durably applied, by their heartbeats.
CREATE TABLE IF NOT EXISTS kuroshio.peer_position (
    reader       text NOT NULL,
    origin       text NOT NULL,
    incarnation  text NOT NULL,
    lsn          pg_lsn NOT NULL,
    commit_time  timestamptz,                -- what the origin had committed by then is applied there
    changes      bigint NOT NULL DEFAULT 0,
    said_at      timestamptz NOT NULL,       -- the reader's clock when it said so
    heard_at     timestamptz NOT NULL,
    moved_at     timestamptz NOT NULL DEFAULT now(), -- when lsn last advanced: a link without traffic still moves, a cut one does not
    PRIMARY KEY (reader, origin)
);

CREATE OR REPLACE FUNCTION kuroshio.note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.moved_at := CASE WHEN NEW.lsn > OLD.lsn OR NEW.incarnation <> OLD.incarnation THEN NEW.heard_at ELSE OLD.moved_at END;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER note_move BEFORE UPDATE ON kuroshio.peer_position FOR EACH ROW EXECUTE FUNCTION kuroshio.note_move();
ALTER TABLE kuroshio.peer_position ENABLE ALWAYS TRIGGER note_move;

-- The capture daemon's own record.
CREATE TABLE IF NOT EXISTS kuroshio.capture (
    singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    live_lsn     pg_lsn NOT NULL,            -- confirmed by the broker, by lane
    packed_lsn   pg_lsn NOT NULL,
    changes      bigint NOT NULL DEFAULT 0,
    commit_time  timestamptz,
    state        text NOT NULL DEFAULT 'starting',
    reason       text NOT NULL DEFAULT '',
    updated_at   timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE kuroshio.capture ADD COLUMN IF NOT EXISTS records bigint NOT NULL DEFAULT 0;    -- how often this was kept

-- Which moments lie in which LSN range of an origin, and what that origin had applied by then
-- (replication/core/concurrency.py).
CREATE TABLE IF NOT EXISTS kuroshio.passage (
    site         int NOT NULL,
    from_lsn     pg_lsn NOT NULL,
    to_lsn       pg_lsn NOT NULL,
    low          bigint NOT NULL,
    high         bigint NOT NULL,
    applied      jsonb NOT NULL,             -- site number -> LSN
    changes      bigint NOT NULL DEFAULT 0,  -- of the origin's life, up to to_lsn
    PRIMARY KEY (site, to_lsn)
);
CREATE INDEX IF NOT EXISTS passage_high ON kuroshio.passage (site, high);

-- What was decided between two versions. The pair of stamps is its identity, the same at every site.
CREATE TABLE IF NOT EXISTS kuroshio.conflict (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    column_name  text NOT NULL,              -- '' for the row's existence
    winner       bigint NOT NULL,            -- moments
    loser        bigint NOT NULL,
    type         text NOT NULL,
    resolution   text NOT NULL,
    rule         text NOT NULL,
    winner_value text,
    loser_value  text,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (nspname, relname, key, column_name, winner, loser)
);

-- A change that waits: for its insert, its parent, the clock, or a person.
CREATE TABLE IF NOT EXISTS kuroshio.parked (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    moment       bigint NOT NULL,
    op           "char" NOT NULL,
    origin       text NOT NULL,
    lsn          pg_lsn NOT NULL,
    change       jsonb NOT NULL,
    reason       text NOT NULL,              -- insert, parent, clock, refused
    detail       text NOT NULL DEFAULT '',
    tries        int NOT NULL DEFAULT 0,
    parked_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (nspname, relname, key, moment, op)
);

-- Parts of a large transaction, until its last part is here.
CREATE TABLE IF NOT EXISTS kuroshio.staged_part (
    origin       text NOT NULL,
    xid          bigint NOT NULL,
    part         int NOT NULL,
    body         bytea NOT NULL,
    PRIMARY KEY (origin, xid, part)
);
ALTER TABLE kuroshio.staged_part ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE kuroshio.staged_part ADD COLUMN IF NOT EXISTS incarnation text NOT NULL DEFAULT '';
ALTER TABLE kuroshio.staged_part ADD COLUMN IF NOT EXISTS behind pg_lsn;     -- what was committed before ends here at the latest

-- Now, in µs since 2000-01-01 UTC. date_part gives a double with 53 bits: exact to the microsecond until 2255.
CREATE OR REPLACE FUNCTION kuroshio.moment(site int) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((date_part('epoch', transaction_timestamp()) * 1000000)::bigint - 946684800000000) << 10 | site;

-- The greatest moment in a row's stamps.
CREATE OR REPLACE FUNCTION kuroshio.newest(stamps bigint[]) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    newest bigint := greatest(stamps[1], stamps[2]);
BEGIN
    FOR i IN 4 .. cardinality(stamps) BY 2 LOOP
        IF stamps[i] > newest THEN newest := stamps[i]; END IF;
    END LOOP;
    RETURN newest;
END $$;

-- The stamps with one number put under a key, in its sorted place.
CREATE OR REPLACE FUNCTION kuroshio.put(stamps bigint[], key bigint, number bigint) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    at int := array_position(stamps, key, 3);
BEGIN
    IF at IS NOT NULL THEN
        stamps[at + 1] := number;
        RETURN stamps;
    END IF;
    at := 3;
    WHILE at < cardinality(stamps) AND stamps[at] < key LOOP at := at + 2; END LOOP;
    RETURN stamps[1 : at - 1] || ARRAY[key, number] || stamps[at : cardinality(stamps)];
END $$;

-- The same, where 0 says that there is nothing to put.
CREATE OR REPLACE FUNCTION kuroshio.put_number(stamps bigint[], key bigint, number bigint) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE number WHEN 0 THEN stamps ELSE kuroshio.put(stamps, key, number) END;

-- A row's stamps without those of columns that are not there any more.
CREATE OR REPLACE FUNCTION kuroshio.stamps_of(stamps bigint[], cells bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    kept bigint[] := stamps[1:2];
BEGIN
    FOR i IN 3 .. cardinality(stamps) BY 2 LOOP
        IF stamps[i] = 8589934592 OR stamps[i] & -4 = ANY (cells) THEN kept := kept || stamps[i : i + 1]; END IF;
    END LOOP;
    RETURN kept;
END $$;

-- The stamps after a write at moment that saw seen: one moment under several keys, which are sorted.
CREATE OR REPLACE FUNCTION kuroshio.restamp(stamps bigint[], keys bigint[], moment bigint, seen bigint) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    key bigint;
BEGIN
    stamps[2] := seen;
    FOREACH key IN ARRAY keys LOOP stamps := kuroshio.put(stamps, key, moment); END LOOP;
    RETURN stamps;
END $$;

-- A row's version: changes when the row does, whoever wrote. For stale forms and the inbox; null: no such row.
CREATE OR REPLACE FUNCTION kuroshio.row_version(relation regclass, key text[]) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    version text;
    condition text;
BEGIN
    SELECT string_agg(format('%I::text = $1[%s]', column_name, position), ' AND ') INTO condition
      FROM kuroshio.replicated_table r
      JOIN pg_class c ON c.oid = relation AND c.relname = r.relname
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = r.nspname,
           unnest(r.key_columns) WITH ORDINALITY AS k(column_name, position);
    EXECUTE format('SELECT to_hex(kuroshio.newest(kuroshio)) FROM %s WHERE %s', relation, condition) INTO version USING key;
    RETURN version;
END $$;

-- A table's own TRUNCATE would leave no trace that other sites could follow.
CREATE OR REPLACE FUNCTION kuroshio.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE is refused: %.% is replicated', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING HINT = 'Use DELETE, which travels to the other sites.', ERRCODE = 'feature_not_supported';
END $$;
