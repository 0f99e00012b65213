"""OpenAI's images API, by its public reference (https://platform.openai.com/docs/api-reference/images)."""
