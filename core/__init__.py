"""The foundation of every other package: settings, limits, errors, the viewer, the database."""
