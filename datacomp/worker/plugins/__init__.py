"""Filter plugins as submissions: what happens to them inside the sandbox, and out here."""
