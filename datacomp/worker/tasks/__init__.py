"""What a job of each kind does on a worker, as plain functions."""
