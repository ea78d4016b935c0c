"""NIST's sclite and sc_stats, where they are installed (Debian's package sctk)."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from programs import find_program

from asr.scoring.error_rate import Alignment, ErrorCounts

_LETTER = {"equal": "C", "substitute": "S", "delete": "D", "insert": "I"}
_SCORES = re.compile(
    r"^id: \((.*)\)\n(?:\w+: .*\n)*?Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)$", re.M
)
_TEST = re.compile(r"# segs: (\d+)\).*mean: (\S+)\) \(std dev: (\S+)\) \(Z Stat: (\S+)\)")


def find_tool(name: str) -> str:
    """The program's path; see `find_program` for where it is not installed."""
    return find_program([name], "sctk", "/usr/lib/sctk/bin")


def sclite_counts(reference: Path, hypothesis: Path) -> dict[str, ErrorCounts]:
    """Counts of each utterance of two trn files, or of an stm and a ctm file; case counts."""
    command = [find_tool("sclite"), "-i", "spu_id", "-e", "utf-8", "-s", "-o", "pra", "stdout"]
    for option, path in (("-r", reference), ("-h", hypothesis)):
        command += [option, str(path), path.suffix.removeprefix(".")]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    return parse_pra(answer.stdout)


def parse_pra(text: str) -> dict[str, ErrorCounts]:
    """Counts of each utterance of a pra file, by its id."""
    return {
        found[1]: ErrorCounts(*map(int, found.groups()[1:])) for found in _SCORES.finditer(text)
    }


def sc_stats_matched_pairs(
    first: Mapping[str, Alignment], second: Mapping[str, Alignment], folder: Path
) -> tuple[int, float, float, float]:
    """Segments, mean, standard deviation and z of sc_stats, to three digits."""
    command = [find_tool("sc_stats"), "-p", "-t", "mapsswe", "-v", "-n", "test"]
    both = _sgml("one", first) + _sgml("two", second)
    subprocess.run(command, input=both, cwd=folder, check=True, capture_output=True, text=True)
    report = (folder / "test.stats.mapsswe").read_text()
    found = _TEST.search(report)
    assert found, report
    return int(found[1]), float(found[2]), float(found[3]), float(found[4])


def _sgml(system: str, alignments: Mapping[str, Alignment]) -> str:
    """Alignments as sclite hands them to sc_stats."""
    lines = [
        f'<SYSTEM title="{system}" ref_fname="r" hyp_fname="{system}" creation_date="" '
        'format="2.4" frag_corr="FALSE" opt_del="FALSE" weight_ali="FALSE" weight_filename="">',
        '<SPEAKER id="a">',
    ]
    for number, (key, alignment) in enumerate(alignments.items()):
        edits = ":".join(
            ",".join(
                [
                    _LETTER[edit.kind],
                    "" if edit.reference is None else f'"{edit.reference}"',
                    "" if edit.hypothesis is None else f'"{edit.hypothesis}"',
                ]
            )
            for edit in alignment.edits
        )
        length = len(alignment.edits)
        path = f'<PATH id="({key})" word_cnt="{length}" sequence="{number}" case_sense="1">'
        lines += [path, edits, "</PATH>"]
    return "\n".join([*lines, "</SPEAKER>", "</SYSTEM>"]) + "\n"
