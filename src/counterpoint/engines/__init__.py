"""How layers run: one engine a file, behind one small protocol."""
