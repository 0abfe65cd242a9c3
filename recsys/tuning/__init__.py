"""Tuning: settings chosen on a part of the train side, so that the holdout judges them unseen."""
