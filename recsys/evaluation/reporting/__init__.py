"""The report of one evaluation: JSON, Markdown and HTML."""
