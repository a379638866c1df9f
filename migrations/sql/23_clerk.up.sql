-- Clerk's webhooks: which deliveries were processed, and how new the state of each user is. The role of requests has no
-- right here.
CREATE TABLE app.clerk_deliveries (
    id text COLLATE "C" PRIMARY KEY,
    received_at bigint NOT NULL DEFAULT app.now_ms()
);
COMMENT ON TABLE app.clerk_deliveries IS
    'The ids of the webhooks that were processed, for some days; times are ms since the epoch.';
CREATE INDEX clerk_deliveries_by_received_at ON app.clerk_deliveries (received_at);

CREATE TABLE app.clerk_users (
    user_id text COLLATE "C" PRIMARY KEY REFERENCES public.users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    updated_at bigint NOT NULL
);
COMMENT ON TABLE app.clerk_users IS
    'The time at Clerk of the last change that each user has, in ms since the epoch; 9007199254740991 after a deletion.';
