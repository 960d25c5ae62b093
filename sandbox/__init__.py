"""AWS and OpenAI on a laptop: runs `infra/` and `app/` for real, with no account and no cost."""
