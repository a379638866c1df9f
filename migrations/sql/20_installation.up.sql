-- Facts about this database as a whole: how row-level security is applied, and whether servers may act on the outside.

-- A copy has another identity: a restored dump, a copy by CREATE DATABASE ... TEMPLATE, a database in another cluster.
-- A promoted standby and a crashed cluster that recovers keep theirs.
CREATE FUNCTION app.database_identity() RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT s.system_identifier::text || '/' || d.oid::text
            FROM pg_control_system() s CROSS JOIN pg_database d WHERE d.datname = current_database());
COMMENT ON FUNCTION app.database_identity() IS 'The cluster''s system identifier and the database''s oid.';

CREATE TABLE app.installation (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    row_security text COLLATE "C" CHECK (row_security IN ('role', 'forced')),
    active_in text COLLATE "C"
);
COMMENT ON TABLE app.installation IS 'One row with facts about the database as a whole.';
COMMENT ON COLUMN app.installation.row_security IS
    'The mode of row-level security that `migrate` has put in force (core/database/request_role.py); absent before that.';
COMMENT ON COLUMN app.installation.active_in IS
    'The identity of the database that may act on the outside. A copy has another identity, and is paused.';

-- A database from before this step keeps its mode. One that is being made has neither grants nor forced policies yet.
INSERT INTO app.installation (row_security, active_in)
SELECT CASE
           WHEN c.relforcerowsecurity THEN 'forced'
           WHEN EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee NOT IN (0, c.relowner)) THEN 'role'
       END,
       app.database_identity()
FROM pg_class c WHERE c.oid = 'public.sites'::regclass;

CREATE FUNCTION app.is_active() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN coalesce((SELECT i.active_in = app.database_identity() FROM app.installation i), false);
REVOKE EXECUTE ON FUNCTION app.is_active() FROM PUBLIC;
COMMENT ON FUNCTION app.is_active() IS
    'Whether servers may act on the outside for this database. False in a restored copy until `server.py activate`.';
