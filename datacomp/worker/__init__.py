"""What runs on a worker machine: the agent, what jobs do there, and the sandbox for plugins."""
