"""`asr score`: compare hypotheses with references."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    reference: Annotated[
        Path, typer.Argument(help="What was said: a manifest, or lines of 'id text'.")
    ],
    hypothesis: Annotated[
        Path, typer.Argument(help="What was recognised, in any of the same forms.")
    ],
    normalizer: Annotated[
        str, typer.Option(help="Rule applied to both sides first: none or basic.")
    ] = "basic",
    json: Annotated[Path | None, typer.Option(help="Also write the summary to this file.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page with every alignment to this file.")
    ] = None,
) -> None:
    """Print the word and character error rates of HYPOTHESIS against REFERENCE."""
    from asr.scoring.report import print_table, score_set, write_json, write_report
    from asr.scoring.transcripts import read_speakers, read_transcripts
    from asr.text import Normalizer

    scored = score_set(
        hypothesis.name,
        read_transcripts(reference),
        read_transcripts(hypothesis),
        normalizer=Normalizer(normalizer),
        speakers=read_speakers(reference),
    )
    print_table([scored.to_json()])
    print(f"normalizer: {scored.normalizer}, applied to both sides")
    if scored.emptied_references:
        print(
            f"{scored.emptied_references} references were not empty and became so under it; "
            "whatever was recognised there counts as inserted"
        )
    if json:
        write_json(json, [scored])
    if html:
        facts = {"reference": str(reference), "hypothesis": str(hypothesis)}
        write_report(html, [scored], title=f"Scores of {hypothesis.name}", facts=facts)
