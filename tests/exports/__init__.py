"""Exports of Convex and Supabase for tests, by the rules of their formats; they share no code with the import."""
