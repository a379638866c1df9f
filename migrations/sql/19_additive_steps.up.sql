-- The steps with which servers of the version before go on working. Written by services/migrations.py before a step runs.
CREATE TABLE app.additive_steps (
    version text COLLATE "C" PRIMARY KEY
);
COMMENT ON TABLE app.additive_steps IS 'The steps of migrations that an older server may ignore, by their names in the table aerich.';
