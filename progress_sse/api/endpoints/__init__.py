"""One module for each path of the API, and for each page."""
