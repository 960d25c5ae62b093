"""What a stage costs in a month at AWS. Only arithmetic over its configuration and a list of prices."""
