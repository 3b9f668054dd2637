"""Who is calling: teams and their API tokens."""
