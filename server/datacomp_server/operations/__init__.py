"""What an organiser watches a service by: its health, its metrics, its log."""
