"""Files that a scenario names (traces, parameter sets, weights): a path is relative to the scenario file it is written in."""

import os
from dataclasses import replace
from pathlib import PurePath

from csisim.scenario.yaml import Node

#: Fields whose value is the path of a file, if it has a suffix.
FIELDS = ("file", "parameters", "weights")


def with_absolute_files(node: Node, written: dict[str, str], key: str = "") -> Node:
    """A document in which every file (``FIELDS``) is an absolute path, so that it means the same in every working directory.

    Options of the command line name files relative to the working directory. A value without a suffix is the name of something
    packaged, not a path.

    Parameters
    ----------
    node : Node
        The document, its sweep included.
    written : dict
        Is given what its author wrote, by absolute path.
    key : str
        The key that ``node`` stands under, perhaps the dotted path of a swept field.
    """
    content = node.content
    if isinstance(content, dict):
        return replace(node, content={name: with_absolute_files(value, written, name) for name, value in content.items()})
    if isinstance(content, list):
        return replace(node, content=[with_absolute_files(item, written, key) for item in content])
    if key.rpartition(".")[2] not in FIELDS or not isinstance(content, str) or not PurePath(content).suffix:
        return node
    folder = os.path.dirname(node.mark.source) if node.mark.line else ""
    path = os.path.abspath(os.path.join(folder, content))
    written[path] = content
    return replace(node, content=path)
