"""Published numbers and the scenarios that reproduce them."""
