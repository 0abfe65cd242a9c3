"""Posted events and shown lists: from the request into the event store and back into every worker."""
