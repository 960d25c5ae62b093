"""A stage's configuration: read, checked, and what follows from it by arithmetic. No resource is here."""
