-- A site that is being seeded (replication/snapshot/README.md): it is closed to local writes, and nothing is applied.

CREATE TABLE IF NOT EXISTS kuroshio.closed (
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    lsn          pg_lsn NOT NULL DEFAULT '0/0',   -- behind this, nothing was written here; 0/0: nothing ever was
    token        text NOT NULL DEFAULT '',        -- of the snapshot that is being loaded,
    chunk        bigint NOT NULL DEFAULT 0,       -- and how many of its chunks are
    closed_at    timestamptz NOT NULL DEFAULT now()
);

-- What was written here and may be at no other site, set aside while the site is seeded anew: a row as it stood.
CREATE TABLE IF NOT EXISTS kuroshio.kept (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    moment       bigint NOT NULL,
    op           "char" NOT NULL,
    change       jsonb NOT NULL,
    PRIMARY KEY (nspname, relname, key, op)
);

-- The sites whose changes this site's capture waits for.
ALTER TABLE kuroshio.capture ADD COLUMN IF NOT EXISTS peers text[] NOT NULL DEFAULT '{}';

-- Stands before every write to a replicated table while its site is closed, and for a moment after.
CREATE OR REPLACE FUNCTION kuroshio.refuse_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM kuroshio.closed) THEN
        RAISE EXCEPTION 'this site is being seeded: nothing can be written here until that is done'
            USING HINT = 'Write at another site, or wait until it is done.', ERRCODE = 'read_only_sql_transaction';
    END IF;
    RETURN NULL;
END $$;
