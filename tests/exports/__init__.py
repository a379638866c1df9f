"""Exports of Convex and Supabase for tests, by the rules of their formats. They share no code with the import."""
