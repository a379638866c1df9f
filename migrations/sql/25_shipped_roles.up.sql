-- The global roles that the product ships, so that a later version can bring unchanged ones up to date.

-- Where the owner is under the policies, too (core/request_role.py), this lifts them.
SELECT set_config('app.platform', 'on', true);

-- A role whose row has another hash was changed by the platform: it is left as it is. Without a role, the platform has
-- deleted it. The role of requests has no right here.
CREATE TABLE app.shipped_roles (
    name text COLLATE "C" PRIMARY KEY,
    role_id text COLLATE "C" UNIQUE REFERENCES public.roles (id) ON DELETE SET NULL,
    content_hash text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    shipped_at bigint NOT NULL DEFAULT app.now_ms()
);
COMMENT ON TABLE app.shipped_roles IS
    'The hash of each global role as it was shipped last; times are ms since the epoch.';
