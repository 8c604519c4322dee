"""Copies on request."""
