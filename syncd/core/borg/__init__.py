"""What Borg is told: repositories, clients and deeds in, command lines out."""
