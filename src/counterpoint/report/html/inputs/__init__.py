"""Files that a report is made of: traces, and what verbs print with ``--json``."""
