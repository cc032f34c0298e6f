"""MLPerf's LoadGen against a plan."""
