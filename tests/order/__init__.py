"""A crowd that leaves, goes away and comes back, and the complete record of who was let in when."""
