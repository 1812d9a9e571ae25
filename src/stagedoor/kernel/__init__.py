"""Words that every feature shares: time, ids, money, and the three kinds of no."""
