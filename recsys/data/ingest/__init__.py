"""Reading: files and data frames to Interactions and Items, every row accounted for."""
