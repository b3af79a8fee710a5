"""The command line: one file a command, each with HELP, configure(parser) and run(args) -> exit code."""
