"""What does it cost? ``make bench`` measures, and says so beside the limits."""
