"""Instruction data that can be verified: tasks, teachers, checks, and what is written of them."""
