"""Entities and their relationships as vendors deliver them, thousands at once."""
