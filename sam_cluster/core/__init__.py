"""What every room speaks: units, the domain's values, errors, configuration. Standard library only."""
