"""The command line, `aura`. One file a command; nothing heavy is imported before a command runs."""
