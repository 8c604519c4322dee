"""What a backup reads, and a restore writes."""
