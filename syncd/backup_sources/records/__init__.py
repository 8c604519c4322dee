"""What syncd keeps of itself, as documents."""
