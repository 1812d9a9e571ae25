"""Domain events leave exactly as often as promised: at least once, each under one id."""
