"""The commands of the command line, one module each. Every module is loaded only when its command is given."""
