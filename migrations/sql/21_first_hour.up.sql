-- What the product ships to a database, and which databases are demos.

-- Where the owner is under the policies, too (core/request_role.py), this lifts them.
SELECT set_config('app.platform', 'on', true);

-- The hash of each entry of the catalog as it was shipped last. An entry whose row has another hash was changed by the
-- platform or imported: it is left as it is. The role of requests has no right here.
CREATE TABLE app.shipped_integrations (
    integration_id text COLLATE "C" PRIMARY KEY REFERENCES public.integrations (id) ON DELETE CASCADE,
    content_hash text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    shipped_at bigint NOT NULL DEFAULT app.now_ms()
);
COMMENT ON TABLE app.shipped_integrations IS
    'The hash of each entry of the catalog as it was shipped last; times are ms since the epoch.';

-- A database with this row is a demo. `server.py --demo` loads nothing into any other that has rows.
CREATE TABLE app.demo_marker (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    marked_at bigint NOT NULL DEFAULT app.now_ms()
);
COMMENT ON TABLE app.demo_marker IS 'One row where the rows are those of a demo; times are ms since the epoch.';
-- The id of the first tenant of every demo (demo/tenants.py).
INSERT INTO app.demo_marker (id)
SELECT true FROM public.tenants WHERE id = '01875903-4800-7244-9a85-49f087849121';
