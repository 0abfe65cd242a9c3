"""API keys: how they are made, what a file of them says, and how much each may ask."""
