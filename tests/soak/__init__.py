"""A long sale whose dependencies come and go without an end, and whether anything in the processes grows by it."""
