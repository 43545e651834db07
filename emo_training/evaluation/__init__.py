"""How good generated videos are against true ones."""
