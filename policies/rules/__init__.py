"""The policies by what they are about; each file ends with the list of its own."""
