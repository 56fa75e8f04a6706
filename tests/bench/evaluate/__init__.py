"""What an evaluation of a million rows takes: memory, time, and how much of the time is ours."""
