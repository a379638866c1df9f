"""Bringing data along: exports of Convex and Supabase, loaded as they are, as often as one likes."""
