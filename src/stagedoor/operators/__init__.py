"""Who may run the evening, and the record of what they did."""
