"""Files named by their content: what teams and workers hand in, and what the service keeps."""
