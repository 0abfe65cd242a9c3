"""The live demo: nights from PostgreSQL, readers who click on what they are shown, and an experiment's verdict."""
