"""The command line: arguments, commands, renderers and exit codes. Holds no decision about a host."""
