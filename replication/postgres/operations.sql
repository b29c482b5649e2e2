-- What those who watch replication need: how the links did, and what operators asked for.

-- How each link stood, as this site knew it: written by apply every half minute, kept so for a day, then one in ten minutes
-- for a month (replication/apply/sampling.py). 12 links are 3 MB a day.
CREATE TABLE IF NOT EXISTS kuroshio.link_sample (
    at              timestamptz NOT NULL,
    origin          text NOT NULL,
    reader          text NOT NULL,
    state           text NOT NULL,           -- as status says: up, late, cut, stopped, unknown
    lag_seconds     real,
    backlog_changes bigint,
    applied_changes bigint,                  -- of the origin's life
    PRIMARY KEY (at, origin, reader)
);

-- By this an operator names a change that waits here; one that is parked anew has another.
ALTER TABLE kuroshio.parked ADD COLUMN IF NOT EXISTS id bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX IF NOT EXISTS parked_by_id ON kuroshio.parked (id);

-- What operators asked for, and what came of it: the log of who did what. Apply obeys what is about a change that waits
-- here; a command that does its work itself notes it when it is done. No row is taken out of this table; a row that is
-- withdrawn from the site takes its values along (change and cells, residency.py).
CREATE TABLE IF NOT EXISTS kuroshio.request (
    id           uuid PRIMARY KEY,           -- made by who asks: what is sent twice is asked once
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    asked_by     text NOT NULL CHECK (asked_by <> ''),
    action       text NOT NULL,              -- retry, edit, discard, restore; or what a command did
    why          text NOT NULL DEFAULT '' CHECK (why <> '' OR action <> 'discard'),
    subject      text NOT NULL DEFAULT '',   -- of a command: what it acted on
    parked       bigint,                     -- kuroshio.parked.id; and the change as it was then:
    nspname      text,
    relname      text,
    key          text[],
    moment       bigint,
    op           "char",
    origin       text,
    lsn          pg_lsn,
    change       jsonb,
    reason       text,
    cells        jsonb,                      -- of an edit: column -> text form
    outcome      text NOT NULL DEFAULT '',   -- '': not obeyed yet; taken, waits, discarded, restored, gone, failed; or a command's
    detail       text NOT NULL DEFAULT '',
    answered_at  timestamptz
);
CREATE INDEX IF NOT EXISTS request_unanswered ON kuroshio.request (asked_at) WHERE outcome = '';
CREATE INDEX IF NOT EXISTS request_newest ON kuroshio.request (asked_at, id);

-- Under which role a request came: who asked is what that role's program says.
ALTER TABLE kuroshio.request ADD COLUMN IF NOT EXISTS came_as text;
ALTER TABLE kuroshio.request ALTER COLUMN came_as SET DEFAULT session_user;

-- Have this site look at all its tables now, at each site that it counts as a peer (not at one that has left), and put on
-- record who wanted it. For those who can write no outcome.
CREATE OR REPLACE FUNCTION kuroshio.ask_verification(by_whom text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO kuroshio.verification (peer, nspname, relname, asked_at, asked_by)
    SELECT s.name, t.nspname, t.relname, clock_timestamp(), by_whom
      FROM kuroshio.replicated_table t CROSS JOIN kuroshio.capture c CROSS JOIN unnest(c.peers) AS s(name)
    ON CONFLICT (peer, nspname, relname) DO UPDATE SET asked_at = excluded.asked_at, asked_by = excluded.asked_by;
    INSERT INTO kuroshio.request (id, asked_by, action, outcome, answered_at)
    VALUES (gen_random_uuid(), by_whom, 'compare', 'asked', clock_timestamp()) $$;
REVOKE EXECUTE ON FUNCTION kuroshio.ask_verification(text) FROM PUBLIC;
