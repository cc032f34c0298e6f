"""How layers run: one file an engine, behind one small protocol."""
