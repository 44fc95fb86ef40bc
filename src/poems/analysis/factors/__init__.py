"""What each factor drives, explains and goes with."""
