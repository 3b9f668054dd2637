"""The queue: jobs in the service's own database, claimed over HTTP by leases."""
