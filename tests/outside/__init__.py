"""The project as its users meet it, on machines that have nothing of it yet."""
