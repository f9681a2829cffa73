"""``csisim schema``: the JSON Schema of scenario files."""

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, every registered kind included.

    Save it and put `# yaml-language-server: $schema=<file>` on top of a scenario for completion in an editor.
    """
    import json

    from csisim.errors import CsisimError
    from csisim.registry import TABLE, kinds
    from csisim.scenario.explain import import_error
    from csisim.scenario.schema import Scenario

    reasons = {f"{room}/{kind}": import_error(room, kind) for room in TABLE for kind in kinds(room)}
    broken = [f"{name} cannot be loaded: {reason}" for name, reason in reasons.items() if reason is not None]
    if broken:
        raise CsisimError("\n".join(broken))
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Scenario.model_json_schema()}
    click.echo(json.dumps(document, indent=2))
