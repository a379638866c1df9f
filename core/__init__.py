"""What every other package stands on: settings, limits, errors, the viewer, the database."""
