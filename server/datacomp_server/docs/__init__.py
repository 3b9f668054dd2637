"""The documentation as pages of the service."""
