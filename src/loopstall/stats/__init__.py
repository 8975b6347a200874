"""Statistics: pure functions of numbers, no input or output."""
