"""The tiny pool: emoji by two artists, their names, and seven planted kinds of noise."""
