"""A recurrent language model, which ranks again what a search with n-grams has found."""
