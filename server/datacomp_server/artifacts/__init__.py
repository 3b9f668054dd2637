"""Files named by their content: reports and locks, as they were taken in."""
