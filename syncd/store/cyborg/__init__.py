"""Whole machines and how they are backed up: clients, repositories, policies, jobs."""
