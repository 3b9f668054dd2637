"""A person's own page of what their teams handed in, and what to do next with it."""
