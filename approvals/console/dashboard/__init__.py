"""How is it going? Figures over all requests one may see, each with its rows behind it."""
