"""The engine for programs, as a server that speaks OpenAI's chat-completions protocol."""
