"""Published results beside what our models predict for them and what our planners find."""
