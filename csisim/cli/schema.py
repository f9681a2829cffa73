"""``csisim schema``: the JSON Schema of scenario files."""

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, every registered kind included.

    Save it and put `# yaml-language-server: $schema=<file>` on top of a scenario for completion in an editor.
    """
    import json

    from csisim.scenario.schema import Scenario

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Scenario.model_json_schema()}
    click.echo(json.dumps(document, indent=2))
