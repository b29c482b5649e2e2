-- The roles of a site's database, and what each may do. Everything here may run again. A role that is missing is made
-- without a password and without LOGIN: whoever installs the site gives it both.
--
--   kuroshio_capture   the capture daemon: reads the WAL and what is under replication; writes its own record alone
--   kuroshio_apply     the apply daemon: writes the replicated tables, under the replication origin, and what it keeps of them
--   kuroshio_control   the control daemon: reads the replicated tables; writes what it found, and what is to be sent again
--   kuroshio_ops       who watches: reads all that is kept, the server's statistics; asks what is to become of what was set aside
--   kuroshio_read      who asks questions: reads the replicated tables and the state of replication
--   app                the application, where there is one: owns its tables, reads the state of replication

-- To ask: what was asked, by whom and when is on record, and what came of it is for apply to say.
CREATE OR REPLACE FUNCTION kuroshio.grant_asking(role_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE INSERT ON kuroshio.request FROM %I', role_name);
    EXECUTE format('GRANT INSERT (id, asked_by, action, why, cells, parked, nspname, relname, key, moment, op, origin, lsn, change, reason)'
                   ' ON kuroshio.request TO %I', role_name);
    EXECUTE format('GRANT EXECUTE ON FUNCTION kuroshio.ask_verification(text) TO %I', role_name);
END $$;
REVOKE EXECUTE ON FUNCTION kuroshio.grant_asking FROM PUBLIC;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['kuroshio_capture', 'kuroshio_apply', 'kuroshio_control', 'kuroshio_ops', 'kuroshio_read'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', name); END IF;
    END LOOP;
    IF NOT (SELECT rolreplication FROM pg_roles WHERE rolname = 'kuroshio_capture') THEN
        ALTER ROLE kuroshio_capture REPLICATION;
        ALTER ROLE kuroshio_read SET default_transaction_read_only = on;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA kuroshio TO app;
        PERFORM kuroshio.grant_asking('app');    -- to ask is all that it may
        GRANT EXECUTE ON FUNCTION pg_replication_origin_session_is_setup() TO app;
    END IF;
END $$;

-- Nobody needs tables of their own but who owns the database.
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;

-- Everybody who writes needs the functions that the triggers call.
GRANT USAGE ON SCHEMA kuroshio TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA kuroshio TO kuroshio_capture, kuroshio_apply, kuroshio_control, kuroshio_ops, kuroshio_read;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA kuroshio TO kuroshio_capture, kuroshio_apply;
GRANT pg_read_all_stats TO kuroshio_capture, kuroshio_apply;    -- who else is at work decides when a delete is settled

-- pglogical lets everybody who sees its schema call its functions, also those that drop its node.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pglogical FROM PUBLIC;
GRANT USAGE ON SCHEMA pglogical TO kuroshio_capture;
GRANT SELECT ON ALL TABLES IN SCHEMA pglogical TO kuroshio_capture;
GRANT INSERT, UPDATE, DELETE ON kuroshio.capture, kuroshio.passage, kuroshio.claim, kuroshio.moved, kuroshio.whole TO kuroshio_capture;
GRANT UPDATE (incarnation, lineage) ON kuroshio.site TO kuroshio_capture;
GRANT EXECUTE ON FUNCTION kuroshio.bury() TO kuroshio_capture;    -- it deletes as who installed it; capture says when

GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kuroshio TO kuroshio_apply;
REVOKE INSERT, UPDATE, DELETE ON kuroshio.site, kuroshio.capture, kuroshio.fence, kuroshio.whole, kuroshio.replicated_table FROM kuroshio_apply;
GRANT UPDATE (derived) ON kuroshio.replicated_table TO kuroshio_apply;
GRANT SET ON PARAMETER session_replication_role, deadlock_timeout TO kuroshio_apply;
GRANT EXECUTE ON FUNCTION pg_replication_origin_create(text), pg_replication_origin_session_setup(text),
    pg_replication_origin_session_is_setup() TO kuroshio_apply;

GRANT INSERT, UPDATE, DELETE ON kuroshio.verification, kuroshio.divergent, kuroshio.letters TO kuroshio_control;
GRANT INSERT ON kuroshio.moved TO kuroshio_control;
GRANT UPDATE (number) ON kuroshio.fence TO kuroshio_control;
GRANT EXECUTE ON FUNCTION kuroshio.ask_verification(text) TO kuroshio_apply;

GRANT pg_monitor TO kuroshio_ops;
SELECT kuroshio.grant_asking('kuroshio_ops');

-- What the roles may do with a table that is under replication.
CREATE OR REPLACE FUNCTION kuroshio.grant_table(schema_name text, table_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO kuroshio_capture, kuroshio_apply, kuroshio_control, kuroshio_read', schema_name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.%I TO kuroshio_apply', schema_name, table_name);
    EXECUTE format('GRANT SELECT ON %I.%I TO kuroshio_control, kuroshio_read', schema_name, table_name);
END $$;
REVOKE EXECUTE ON FUNCTION kuroshio.grant_table FROM PUBLIC;
SELECT kuroshio.grant_table(nspname, relname) FROM kuroshio.replicated_table
 WHERE to_regclass(format('%I.%I', nspname, relname)) IS NOT NULL;
