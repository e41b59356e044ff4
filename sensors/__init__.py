"""What starts runs without a person, and who hears when one fails."""
