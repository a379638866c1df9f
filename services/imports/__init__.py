"""Imports exports of Convex and Supabase. An import can be repeated any number of times."""
