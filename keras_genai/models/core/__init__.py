"""What every family is built on."""
