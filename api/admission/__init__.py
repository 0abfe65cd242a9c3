"""Admission: what is let in at one time, what is refused at once, and what is counted of both."""
