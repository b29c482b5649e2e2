-- Rows that apply has found due to be deleted for good (replication/core/burial.py). Capture writes the deletes, as what
-- apply writes is never captured.
CREATE TABLE IF NOT EXISTS kuroshio.burial (
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    xid          xid8 NOT NULL,                -- of the tombstone that was looked at: one that was written since is left alone
    PRIMARY KEY (nspname, relname, key)
);

-- All that is noted goes in one transaction, children with their parents. Where apply is at work on one of these rows, it
-- notes what is still due again.
CREATE OR REPLACE FUNCTION kuroshio.bury() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    here kuroshio.site;
    buried bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM kuroshio.burial) OR EXISTS (SELECT FROM kuroshio.closed) THEN RETURN 0; END IF;
    SELECT * INTO STRICT here FROM kuroshio.site;
    PERFORM FROM kuroshio.tombstone t JOIN kuroshio.burial b USING (nspname, relname, key, xid)
      ORDER BY t.nspname, t.relname, t.key FOR UPDATE OF t;
    WITH due AS (DELETE FROM kuroshio.burial RETURNING nspname, relname, key, xid)
    UPDATE kuroshio.tombstone t
       SET deleted = kuroshio.after(kuroshio.moment(here.number),
                                    greatest(t.deleted, kuroshio.newest(t.saw), kuroshio.newest(t.stamps)), here.number),
           saw = kuroshio.join_stamps(t.saw, t.stamps), hidden = '', referential = t.referential OR t.deleted = 0,
           cells = t.cells || '{}',             -- written anew: a value that is stored apart would not be sent
           passed = t.passed || jsonb_build_object(here.name, NULL),
           xid = pg_current_xact_id(), settled = false, stable = false
      FROM due WHERE (t.nspname, t.relname, t.key, t.xid) = (due.nspname, due.relname, due.key, due.xid);
    GET DIAGNOSTICS buried = ROW_COUNT;
    RETURN buried;
EXCEPTION WHEN lock_not_available THEN RETURN 0;
END $$;
REVOKE EXECUTE ON FUNCTION kuroshio.bury() FROM PUBLIC;
