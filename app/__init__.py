"""The reference app: an OpenAI-compatible gateway. Replace this package with a program of your own and keep the rest."""
