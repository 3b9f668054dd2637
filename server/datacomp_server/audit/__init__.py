"""What happened, in an order that nobody can change afterwards; export, backup, restore."""
