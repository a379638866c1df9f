"""The compiler: a root field as one SQL statement, the plans that outlive it, and their cache."""
