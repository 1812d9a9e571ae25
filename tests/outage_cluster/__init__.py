"""What outages of Redis, of the database and of Kafka do to the buyers of a cluster, cell by cell."""
