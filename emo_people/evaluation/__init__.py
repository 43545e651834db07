"""How well a model does on people and sentences that nothing was trained on."""
