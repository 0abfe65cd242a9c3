"""Forgetting people: what is held of somebody, and its removal from every place that a job and a service write."""
