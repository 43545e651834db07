"""EMO's networks. Every module takes `operations`, a namespace with Linear, Conv2d, GroupNorm and
LayerNorm."""
