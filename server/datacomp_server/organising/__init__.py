"""What organisers see and do in a browser: as `datacomp admin`, by the same services."""
