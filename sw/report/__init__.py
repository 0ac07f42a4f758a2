"""Results as a person reads them: tables and drawings for the terminal."""
