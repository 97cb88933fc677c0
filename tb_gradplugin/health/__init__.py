"""Health: what a run suffers from, judged from its recorded statistics alone."""
