"""The report of one evaluation: JSON for programs, Markdown and HTML for people."""
