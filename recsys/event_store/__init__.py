"""What changes by day: events, and what else the service has to keep, in SQLite or PostgreSQL."""
