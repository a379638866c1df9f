"""Checks of the source itself: its names, its prose, and that every module is under every tool."""
