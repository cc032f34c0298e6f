"""Networks measured on processors: the matrix, its three metrics, and where the time goes."""
