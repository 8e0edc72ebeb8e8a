"""The commands, one module each. The only room that reads the command line and the environment."""
