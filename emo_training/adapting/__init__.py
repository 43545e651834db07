"""One person's footage -> a LoRA that knows this person: what `adapt` does."""
