"""Tests of the server as a process of its own."""
