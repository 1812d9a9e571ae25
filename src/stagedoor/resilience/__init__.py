"""What keeps one failing part from taking the others with it: pure state machines that are handed their time."""
