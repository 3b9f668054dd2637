"""The documentation pages: what each shows, made from the sources that the software obeys."""
