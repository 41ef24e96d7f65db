"""HTTP: each module answers for one kind of request and knows no rule of what a command does."""
