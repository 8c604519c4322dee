"""The children seen from above: started, watched, spoken to."""
