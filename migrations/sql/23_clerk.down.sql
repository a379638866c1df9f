DROP TABLE app.clerk_users;
DROP TABLE app.clerk_deliveries;
