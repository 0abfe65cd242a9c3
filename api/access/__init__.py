"""Who may ask: keys and their scopes, limits, wrong keys, and where a service without keys may listen."""
