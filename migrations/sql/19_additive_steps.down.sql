DROP TABLE app.additive_steps;
