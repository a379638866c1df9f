DROP TABLE app.chores;
