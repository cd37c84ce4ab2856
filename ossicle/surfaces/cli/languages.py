"""`ossicle languages`: what may be given as --language."""

from typing import Annotated

import typer

from ossicle.formats.write import to_json
from ossicle.surfaces.cli.table import print_table


def languages(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """List the languages and dialects of the published models.

    --language takes any of these names, codes and native names, BCP-47 tags such as zh-CN, and the dialects, which the
    models report as the language they belong to. A checkpoint of your own may know fewer.
    """
    from ossicle import catalog

    found, dialects = catalog.languages(), catalog.dialects()
    of = {language.name: [dialect.dialect for dialect in dialects if dialect.name == language.name] for language in found}
    if as_json:
        typer.echo(to_json([
            {"name": language.name, "native_name": language.native_name, "code": language.code, "code3": language.code3,
             "can_align": language.can_align, "dialects": of[language.name]}
            for language in found]), nl=False)
        return
    print_table(("LANGUAGE", "CODE", "NATIVE NAME"), [(language.name, language.code or "", language.native_name) for language in found])
    for name, names in of.items():
        if names:
            typer.echo(f"\nDialects heard and reported as {name}: {', '.join(str(dialect) for dialect in names)}.")
