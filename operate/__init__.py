"""The operator's commands for a deployed stage. They are the only code that writes a key, and none of it runs in a task."""
