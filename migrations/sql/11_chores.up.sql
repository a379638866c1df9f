-- What is to be done once a day by one of the servers, whichever takes it. The role of requests has no right here.
CREATE TABLE app.chores (
    name text COLLATE "C" PRIMARY KEY,
    taken_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    finished_at bigint
);
COMMENT ON TABLE app.chores IS 'When each daily chore was last taken up, last heard of, and done; times are ms since the epoch.';
