"""Content: vectors made of what is known of items, and the way from them to the learned vectors."""
