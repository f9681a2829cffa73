"""Codecs within codecs: those that write bits by themselves, and where they stand."""

from collections.abc import Callable, Iterator

from csisim.registry import Component

#: Fields on the way to a codec within another: ``("inner",)``, ``("ladder", 1)``; nothing for one that stands alone.
Place = tuple[str | int, ...]


def leaves(config: Component) -> Iterator[tuple[Place, Component]]:
    """The codecs that write bits by themselves, with their places."""
    within = _within(config)
    if not within:
        yield (), config
    for place, part in within.items():
        yield from (((*place, *rest), leaf) for rest, leaf in leaves(part))


def with_leaves(config: Component, change: Callable[[Place, Component], Component], place: Place = ()) -> Component:
    """The same with ``change(place, leaf)`` in the place of every leaf; ``config`` itself if none differs."""
    within = _within(config)
    if not within:
        return change(place, config)
    changed = {at: with_leaves(part, change, (*place, *at)) for at, part in within.items()}
    if all(changed[at] is part for at, part in within.items()):
        return config
    if hasattr(config, "inner"):
        return config.model_copy(update={"inner": changed["inner",]})
    return config.model_copy(update={"ladder": list(changed.values())})


def _within(config: Component) -> dict[Place, Component]:
    rungs: dict[Place, Component] = {("ladder", rung): inner for rung, inner in enumerate(getattr(config, "ladder", ()))}
    return rungs | ({("inner",): config.inner} if hasattr(config, "inner") else {})
