"""The explorer: a page about the model that serves. Its data comes from `api/routes/explorer.py`."""
