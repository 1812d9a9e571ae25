"""Shows what circuit breakers are worth: a server whose database is stalled, with its breakers and without them."""
