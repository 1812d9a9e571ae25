"""What is for sale: performances, their seats, and what is left of them."""
