"""Pieces of a user's own: a system, a net, a modulation and a metric."""
