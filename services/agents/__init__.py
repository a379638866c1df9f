"""Agents on client devices: they enrol, check in every minute, and are missed when they fall silent."""
