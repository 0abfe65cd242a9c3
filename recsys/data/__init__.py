"""From an interaction log to a sparse user-item matrix and its evaluation splits."""
