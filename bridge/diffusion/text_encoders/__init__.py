"""Text encoders: prompts as the tensors that denoisers attend to."""
