"""Copies to go back to: asked for, run, kept, proven, restored and given up."""
