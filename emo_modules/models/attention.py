"""Attention and feed-forward layers under diffusers' parameter names."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tables import cached

Kind = TypeVar("Kind", bound=nn.Module)
if TYPE_CHECKING:

    class Modules(nn.ModuleList, Generic[Kind]):
        """Says of which kind the modules in a list are."""

        def __init__(self, modules: Iterable[Kind] = ()) -> None: ...
        def __iter__(self) -> Iterator[Kind]: ...
        def __getitem__(self, index: int) -> Kind: ...  # type: ignore[override]  # nobody asks for slices
else:
    Modules = nn.ModuleList

KeysValues = tuple[Tensor, Tensor]  # both (B, L, D)
Context = KeysValues | Tensor  # a tensor (1, 1, D) is `Attention.absent`


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of (B, L, D) tokens; the only attention call of the model."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    if q.device.type == "cpu" and torch.is_grad_enabled():
        # the fused kernel's backward pass on CPU took 40 % of a training step; this form takes 10 %
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1)
        return (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Operations:
    """The layers that the networks are made of; ComfyUI's take their place, or faster ones."""

    Linear = nn.Linear
    Conv2d = nn.Conv2d
    GroupNorm = nn.GroupNorm
    LayerNorm = nn.LayerNorm
    Embedding = nn.Embedding
    attend = staticmethod(attend)


def zero_module(layer: Kind) -> Kind:
    """The layer with zeros for weights, so that what it adds starts as nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def for_group_norm(x: Tensor) -> Tensor:
    """x (N, C, H, W) as a norm takes it that is trained behind layers that are not: GroupNorm's backward pass
    in channels-last order crashes when its input needs no gradient (torch 2.13, CPU)."""
    if x.requires_grad or not torch.is_grad_enabled():
        return x
    return x.clone(memory_format=torch.contiguous_format)  # of 1 x 1 places, `contiguous` keeps the order


def side_by_side(layers: Iterable[nn.Linear]) -> Tensor:
    """The weights of layers without bias that read the same tokens, as one (sum of outputs, inputs). Theirs
    keep their names, as parts of it."""
    layers = list(layers)
    weight = torch.cat([layer.weight.detach() for layer in layers])
    for layer, part in zip(layers, weight.split([layer.out_features for layer in layers]), strict=True):
        layer.weight = nn.Parameter(part, requires_grad=False)
    return weight


class Fusable(nn.Module):
    """A module whose `fuse` joins weights in products of fewer launches, until they are moved or others are
    loaded."""

    joint: Any = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.joint = None
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args: Any) -> None:  # as nn.Module calls it
        self.joint = None
        super()._load_from_state_dict(*args)


class Attention(Fusable):
    """Multi-head attention of tokens (N, L, D) to a context (B, L', context_dim)."""

    def __init__(
        self, dim: int, heads: int, context_dim: int | None = None, operations: type[Operations] = Operations
    ):
        super().__init__()
        context_dim = context_dim or dim
        self.heads, self.attend = heads, operations.attend
        self.to_q = operations.Linear(dim, dim, bias=False)
        self.to_k = operations.Linear(context_dim, dim, bias=False)
        self.to_v = operations.Linear(context_dim, dim, bias=False)
        self.to_out = Modules([operations.Linear(dim, dim)])

    def fuse(self) -> None:
        """From now on the projections of the same tokens are one product, of weights (3*dim, dim)."""
        self.joint = side_by_side([self.to_q, self.to_k, self.to_v])

    def project(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values of tokens (N, L, D): three tensors, or one with all of them side by
        side."""
        if self.joint is None:
            return self.to_q(tokens), self.to_k(tokens), self.to_v(tokens)
        return (F.linear(tokens, self.joint),)

    def keys_values(self, context: Tensor, positions: Tensor | None = None) -> KeysValues:
        """Project a context once, to attend to it at every step. Positions are added to the keys only."""
        return self.to_k(context if positions is None else context + positions), self.to_v(context)

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """What queries (N, L, D) get of keys and values (N, L', D) -> (N, L, D)."""
        return self.to_out[0](self.attend(query, key, value, self.heads))

    def absent(self, like: Tensor) -> Tensor:
        """What attention to an all-zero context gives, (1, 1, D): keys and values are zero, only the bias
        remains. Made once, it stands in the context's place. `like` says device and type."""
        return self.to_out[0](like.new_zeros(1, 1, self.to_q.in_features))

    def forward(
        self, x: Tensor, context: Context, norm: nn.Module | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """x (N, L, D) -> same. Before it asks, x goes through `norm` and gets its positions.

        Frames of a clip that share one context join the query axis: its B keys are not repeated for N = B*F
        frames.
        """
        if isinstance(context, Tensor):
            return context
        query = x if norm is None else norm(x)
        query = self.to_q(query if positions is None else query + positions)
        key, value = context
        query = query.unflatten(0, (len(key), -1)).flatten(1, 2)
        return self.to_out[0](self.attend(query, key, value, self.heads)).reshape(x.shape)


def apart(projected: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of what `Attention.project` gives."""
    query, key, value = projected if len(projected) == 3 else projected[0].chunk(3, dim=-1)
    return query, key, value


class GEGLU(nn.Module):
    def __init__(self, dim: int, inner: int, operations: type[Operations] = Operations):
        super().__init__()
        self.proj = operations.Linear(dim, inner * 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden, gate = self.proj(x).chunk(2, dim=-1)
        return hidden * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, dim: int, operations: type[Operations] = Operations):
        super().__init__()
        # index 1 is diffusers' dropout: kept so that the last layer is net.2
        self.net: Modules[nn.Module] = Modules(
            [GEGLU(dim, dim * 4, operations), nn.Identity(), operations.Linear(dim * 4, dim)]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x


def sinusoid(positions: Tensor, dim: int, max_period: float = 10000.0) -> Tensor:
    """positions (P,) -> (P, dim): cosines, then sines, of geometrically spaced frequencies."""
    frequencies = cached(_frequencies, positions)(dim // 2, max_period, positions.device)
    angles = positions[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


@lru_cache(maxsize=64)
def _frequencies(count: int, max_period: float, device: torch.device) -> Tensor:
    return max_period ** (-torch.arange(count, device=device, dtype=torch.float32) / count)
