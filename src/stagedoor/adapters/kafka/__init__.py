"""Events on Kafka, by aiokafka: published in order, and consumed with retries and a topic for dead letters."""
