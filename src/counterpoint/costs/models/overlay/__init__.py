"""Models of overlay processors: one core for everything, or unlike cores for unlike layers."""
