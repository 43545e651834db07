"""Who a drawn person is, and the picture of it."""
