"""Who a drawn person is, its picture, and how its head and face move with the speech."""
