"""What each kind of result is as a report: one file a kind."""
