"""How well faces are found and read: what is true, how pictures are made harder, who looks, what counts."""
