"""What every feature stands on: database, ids, errors, text rules, middleware."""
