"""What visitors see: boards and submissions as JSON, CSV and pages."""
