"""What happens without being asked: each worker is one `tick`, and one supervisor owns them all."""
