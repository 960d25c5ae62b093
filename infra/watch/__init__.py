"""What is told to whom when, and the page that shows it: alarms and dashboard."""
