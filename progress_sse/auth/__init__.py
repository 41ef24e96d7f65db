"""Who may do what, and how often: tokens, tickets, cookies and rates."""
