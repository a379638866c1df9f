DROP TABLE app.demo_marker;
DROP TABLE app.shipped_integrations;
