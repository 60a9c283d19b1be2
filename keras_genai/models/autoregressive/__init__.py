"""Models that make one token, or one pixel, after another."""
