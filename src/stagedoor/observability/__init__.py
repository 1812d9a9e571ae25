"""What can be seen of the process from outside: every metric's name, and how a line of log looks."""
