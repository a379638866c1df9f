-- The triggers go with the functions that they call.
DROP SCHEMA live CASCADE;
