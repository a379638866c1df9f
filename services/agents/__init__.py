"""Agents on client devices: enrollment, a check-in each minute, and detection of silent agents."""
