"""`asr diagnose`: how far back the gradients of a model reach."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import Device, DeviceOption

if TYPE_CHECKING:
    from asr.diagnosis.decay import ModelGradients


def diagnose(
    models: Annotated[
        list[Path],
        typer.Argument(help="Model folders, or the experiment folders they lie in."),
    ],
    manifest: Annotated[Path, typer.Argument(help="A JSON-lines manifest.")],
    *,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained",
            help="Measure also each model with weights as drawn, before any training.",
        ),
    ] = False,
    utterances: Annotated[int, typer.Option(help="How many to measure on, drawn by seed.")] = 8,
    frames: Annotated[int, typer.Option(help="Output frames of each, drawn by seed.")] = 4,
    projections: Annotated[
        int, typer.Option(help="Random vectors for each frame; the more, the more exact.")
    ] = 8,
    distance: Annotated[
        int, typer.Option(help="How far to follow the gradient, in encoder frames.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 1,
    device: DeviceOption = Device.CPU,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Also write gradients.json, gradients.png and gradients.html to this folder.",
        ),
    ] = None,
) -> None:
    """Measure vanishing and exploding gradients of MODELS on a few utterances of MANIFEST.

    How fast the gradient of the output at one frame decays with the distance to the input frame,
    for each recurrent layer and direction, and through the whole model.
    """
    from asr.bundle import load_bundle
    from asr.diagnosis.comparison import choose_utterances, compare_models, name_models
    from asr.diagnosis.gradients import GradientSettings
    from asr.diagnosis.report import print_gradients, write_gradients
    from asr.manifest import read_manifest
    from asr.training.distributed import choose_device

    drawn = {"utterances": utterances, "frames": frames, "projections": projections}
    settings = GradientSettings.parse(drawn | {"distance": distance, "seed": seed}, "asr diagnose")
    there, place = read_manifest(manifest), choose_device(device.value)
    names = name_models(models)
    bundles = {name: load_bundle(path, place) for name, path in zip(names, models, strict=True)}
    chosen = choose_utterances(there, list(bundles.values()), settings, where=str(manifest))
    results = compare_models(bundles, chosen, settings, untrained=untrained)
    print_gradients(results)
    if len(chosen) < utterances:
        print(
            f"asr: {manifest}: {len(chosen)} of {utterances} utterances measured: "
            "there are no more, or the others are too short",
            file=sys.stderr,
        )
    _tell_reach(results, distance)
    if output is not None:
        facts = {
            "manifest": str(manifest),
            "utterances": f"{len(chosen)}: {', '.join(one.id for one in chosen)}",
            "measured": f"{frames} output frames of each, {projections} projections, seed {seed}",
        }
        write_gradients(output, results, facts=facts)
        print(f"asr: gradients.json, gradients.png, gradients.html in {output}", file=sys.stderr)


def _tell_reach(results: "list[ModelGradients]", distance: int) -> None:
    for name, reach in {one.model: one.reach for one in results}.items():
        if reach < distance:
            print(
                f"asr: {name}: followed over {reach} of {distance} frames, two thirds of the "
                "shortest of the utterances; give longer ones, or fewer by --utterances",
                file=sys.stderr,
            )
