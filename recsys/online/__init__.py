"""What became of lists: their ids, which of them were shown, and what people did with them."""
