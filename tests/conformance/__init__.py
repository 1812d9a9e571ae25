"""The breaker beside the recorded behaviour of Resilience4j."""
