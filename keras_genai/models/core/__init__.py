"""The base classes and checks that every family is built on."""
