"""Hold + money -> order: the one feature that knows the others, and decides the sale."""
