"""The built-in filters, one method a file, registered by entry points like anybody's."""
