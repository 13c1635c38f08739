"""Typed answers: JSON read from a text, while it grows and at its end, and checked."""
