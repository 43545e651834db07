"""Who a person is: the shape of the head and how everything on it looks, from a seed."""
