"""The only code that touches the world. Nothing is imported here: each front end pays for the adapters that it uses."""
