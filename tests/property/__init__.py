"""Tests over generated documents."""
