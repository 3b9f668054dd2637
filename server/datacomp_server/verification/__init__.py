"""How far a number may be believed: evidence, keys, audits, and the level that follows."""
