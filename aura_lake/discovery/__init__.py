"""Topics and prefixes that no contract names: which they are, and what is remembered of them. Pure."""
