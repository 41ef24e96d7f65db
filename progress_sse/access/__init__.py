"""Who may do what, and how often: by the names, tokens and rates of those who ask."""
