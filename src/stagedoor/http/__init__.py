"""The edge: parse, call one use case, render."""
