"""The one validated way in: reports become append-only submissions."""
