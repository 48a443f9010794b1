"""The command line: what can be asked, and what becomes of errors. `gpsdream_app.commands` does the work."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from gpsdream_app import __version__
from gpsdream_app.commands import terminal

if TYPE_CHECKING:
    from gpsdream_app.domain.errors import Failure

LOG_FILE = "gpsdream.log"
LOG_BYTES = 1_000_000

EPILOG = """\
exit codes:
  0  done            1  failed: a sentence on stderr says why
  2  wrong usage   130  cancelled

Pictures, models and settings are kept in the user's data folder, or in the folder that GPSDREAM_HOME names.
GPSDREAM_DEBUG=1 shows tracebacks. `gpsdream COMMAND --help` tells more about a command."""

GENERATE_EPILOG = """\
examples:
  gpsdream generate --place "5th Ave & E 23rd St" --prompt "a tall office building" --out pictures
  gpsdream generate --lat 40.7411 --lon -73.9897 --heading 29 --n 4 --seed 7
  gpsdream generate --from picture.png --seed 8
  gpsdream generate --examples --out examples --json"""

EXPLAIN_EPILOG = """\
examples:
  gpsdream explain --from picture.png --out why
  gpsdream explain --place "5th Ave & E 23rd St" --prompt "a tall office building" --seed 7 --json"""

AVERAGE_EPILOG = """\
examples:
  gpsdream average --region "Greenwich Village" "Midtown" "Upper East Side" --prompt building --out averages
  gpsdream average --region "Fifth Avenue" my-regions.geojson --prompt tree --places 128 --subset 16 --out trees"""

WALK_EPILOG = """\
examples:
  gpsdream walk --line "Fifth Avenue" --frames 120 --prompt "a house" --out walk
  gpsdream walk --line "40.7312,-73.9966 40.7411,-73.9897 40.7644,-73.9730" --frames 40 --out walk
  gpsdream walk --line route.geojson --side left --out walk

Ctrl-C stops and keeps the pictures; the same command goes on from there."""

EXPORT_EPILOG = """\
examples:
  gpsdream export --out tour.kmz --box 40.73,-74.00,40.75,-73.98
  gpsdream export --out shared --format jpeg --share-without-location --last 20
  gpsdream export --out map.html --words church --since 2026-11-01
  gpsdream export --out again.zip --id 0123456789abcdef0123456789abcdef

`gpsdream generate --replay again.zip` draws the requests of a ZIP again, on any computer that has the model."""

LIFT_EPILOG = """\
examples:
  gpsdream lift --landmark flatiron --out flatiron.glb
  gpsdream lift --landmark "Leaning Tower of Pisa" --method views --quality fast --format kmz --out pisa

Ctrl-C stops and keeps what was done; the same command goes on from there. --resume says so, and changes nothing."""

MODELS_EPILOG = """\
`get` is the only command that uses the network. It fetches weights as safetensors at a fixed revision, and goes
on where it was interrupted."""


# Their values may begin with a minus, which argparse would take for another option: "-33.86,151.21" is a place.
SIGNED_OPTIONS = ("--lat", "--lon", "--heading", "--place", "--landmark", "--line", "--box")
# As `export.formats` and `domain.results` have them, which are not loaded for a look at the help.
EXPORT_FORMATS = ("png", "jpeg", "webp", "contact-sheet", "kmz", "geojson", "web-map", "csv", "requests")
PICTURE_KINDS = ("draw", "average", "frame")


class _WrongUsage(Exception):
    """The arguments cannot be understood: a sentence, and a pointer to the help."""


class _Parser(argparse.ArgumentParser):
    """Wrong usage is one sentence and a pointer, like every other error."""

    def error(self, message: str) -> NoReturn:
        raise _WrongUsage(f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help.")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text[:40]}” is not a whole number") from None


def _count(text: str) -> int:
    number = _whole_number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is less than 0")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text[:40]}” is not a number") from None


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join options of `SIGNED_OPTIONS` with values that begin with a minus and a number: `--lat=-33.86`."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in SIGNED_OPTIONS and re.match(r"-(\d|\.\d|inf|nan)", argument, re.IGNORECASE):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _add_how(how: argparse._ArgumentGroup) -> None:
    """Add the settings that all that draws has in common."""
    how.add_argument("--steps", type=_whole_number, metavar="NUMBER", help="denoising steps (the model's default)")
    how.add_argument("--place-weight", type=_number, metavar="WEIGHT", help="how closely to follow the place")
    how.add_argument("--words-weight", type=_number, metavar="WEIGHT", help="how closely to follow the words")


def _add_request(parser: argparse.ArgumentParser) -> tuple[argparse._ArgumentGroup, argparse._ArgumentGroup]:
    """Add the options that say which picture is meant; return the groups "where" and "how"."""
    where = parser.add_argument_group("where")
    where.add_argument("--lat", metavar="DEGREES", help="latitude, north positive")
    where.add_argument("--lon", metavar="DEGREES", help="longitude, east positive")
    where.add_argument("--heading", metavar="DEGREES", help="direction of view, clockwise from north")
    where.add_argument("--place", metavar="TEXT", help="a crossing, neighbourhood, landmark or coordinates")
    what = parser.add_argument_group("what")
    what.add_argument("--prompt", metavar="WORDS", help="what to see there")
    what.add_argument("--negative", metavar="WORDS", help="what to keep away from")
    what.add_argument(
        "--from", dest="source", metavar="FILE", help="start from the settings in a picture or a JSON file"
    )
    what.add_argument("--model", metavar="NAME", help="an installed model, or a model folder")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--seed", type=_whole_number, metavar="NUMBER", help="of the first picture; left out: a new one each time"
    )
    _add_how(how)
    return where, how


def _add_generate(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "generate",
        help="draw pictures of a place",
        description="Draw pictures of a place, and keep them in the library.",
        epilog=GENERATE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where, how = _add_request(parser)
    where.add_argument("--replay", metavar="FILE", help="draw the requests of a ZIP that `gpsdream export` made")
    where.add_argument("--examples", action="store_true", help="one picture for each example place of the model")
    how.add_argument(
        "--n", "--count", dest="count", type=_whole_number, metavar="NUMBER", help="number of pictures (1)"
    )
    out = parser.add_argument_group("output")
    out.add_argument("--out", metavar="PATH", help="folder for copies of the pictures, or a .png file for one")
    out.add_argument("--share-without-location", action="store_true", help="leave the place out of the copies in --out")
    _add_json(out)  # type: ignore[arg-type]


def _add_explain(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "explain",
        help="why a picture looks as it does",
        description="Draw a picture again and tell where each word and the place were looked at, and how typical the "
        "picture is of its place.",
        epilog=EXPLAIN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --n, the number of pictures elsewhere, would be --negative
    )
    _add_request(parser)
    parser.set_defaults(examples=False, count=None)
    out = parser.add_argument_group("output")
    out.add_argument("--out", metavar="DIR", help="folder for one overlay per word and a contact sheet")
    out.add_argument("--share-without-location", action="store_true", help="leave the place out of the pictures in DIR")
    _add_json(out)  # type: ignore[arg-type]


def _add_many(parser: argparse.ArgumentParser, prompt: str) -> argparse._ArgumentGroup:
    """Add what averages and walks have in common; return the group "how"."""
    what = parser.add_argument_group("what")
    what.add_argument("--prompt", metavar="WORDS", default=prompt, help=f"what to see ({prompt or 'the place alone'})")
    what.add_argument("--negative", metavar="WORDS", default="", help="what to keep away from")
    what.add_argument("--model", metavar="NAME", help="an installed model, or a model folder")
    how = parser.add_argument_group("how")
    how.add_argument("--seed", type=_whole_number, default=0, metavar="NUMBER", help="of the noise to begin with (0)")
    _add_how(how)
    return how


def _add_average(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "average",
        help="draw what something looks like in a neighbourhood on average",
        description="Draw the average building, tree or shop of regions: the mean over many places at every step of "
        "drawing, all regions from the same noise.",
        epilog=AVERAGE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--region",
        metavar="NAME|FILE",
        nargs="+",
        action="extend",
        required=True,
        help="a neighbourhood, park, street, region of one's own, or a GeoJSON file with regions",
    )
    where.add_argument("--places", type=_whole_number, default=32, metavar="NUMBER", help="to average over (32)")
    where.add_argument(
        "--sampling",
        choices=("area", "photos", "line"),
        help="which places: by area, where photos were taken, or along the streets (area; line in a street)",
    )
    where.add_argument(
        "--headings", choices=("street", "all"), default="street", help="look at the houses, or all round (street)"
    )
    how = _add_many(parser, "building")
    how.add_argument(
        "--subset", type=_whole_number, metavar="NUMBER", help="places drawn afresh at each step (all of them)"
    )
    how.add_argument("--noises", type=_whole_number, default=1, metavar="NUMBER", help="pictures per region (1)")
    out = parser.add_argument_group("output")
    out.add_argument("--out", metavar="DIR", help="folder for pictures, grid.png, averages.geojson and map.html")
    _add_json(out)  # type: ignore[arg-type]


def _add_walk(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "walk",
        help="draw the pictures along a street",
        description="Draw a picture at each of many places along a line, all from the same noise, and make a strip and "
        "a film of them.",
        epilog=WALK_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--line", metavar="NAME|FILE|POINTS", required=True, help='a street, a GeoJSON file, or "LAT,LON LAT,LON ..."'
    )
    where.add_argument("--frames", type=_whole_number, default=120, metavar="NUMBER", help="number of pictures (120)")
    where.add_argument(
        "--side",
        choices=("photos", "left", "right", "ahead"),
        default="photos",
        help="where to look: as the photos do, to a side of the walk, or ahead (photos)",
    )
    _add_many(parser, "")
    out = parser.add_argument_group("output")
    out.add_argument("--out", metavar="DIR", required=True, help="folder for frames, strip.png and walk.mp4")
    out.add_argument("--fps", type=_number, default=12.0, metavar="NUMBER", help="pictures per second of the film (12)")
    _add_json(out)  # type: ignore[arg-type]


def _add_lift(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "lift",
        help="lift a landmark to a mesh",
        description="Make a mesh in metres of a landmark from what a model of landmarks draws from all sides.",
        epilog=LIFT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--landmark", metavar="NAME", required=True, help="id or name of a landmark")
    how = parser.add_argument_group("how")
    how.add_argument("--method", default="refine", help="views, refine, sds or text (refine)")
    how.add_argument("--quality", default="balanced", help="fast, balanced or fine (balanced)")
    how.add_argument("--seed", type=_whole_number, default=0, metavar="NUMBER", help="seed of all chance (0)")
    how.add_argument("--guidance", type=_number, metavar="WEIGHT", help="how closely the model follows the angle")
    how.add_argument("--model", default="landmarks", metavar="NAME|DIR", help="the model that draws (landmarks)")
    how.add_argument("--resume", action="store_true", help="go on with a lift that was stopped (always so)")
    out = parser.add_argument_group("output")
    out.add_argument("--out", metavar="FILE", required=True, help="the mesh")
    out.add_argument("--format", metavar="NAME", help="glb, obj, ply, stl or kmz (as the file is named, or glb)")
    out.add_argument("--vertex-colours", action="store_true", help="colours of vertices instead of a texture")
    _add_json(out)  # type: ignore[arg-type]


def _add_export(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "export",
        help="pictures of the library for other programs",
        description="Export pictures of the library: as pictures, for Google Earth, maps and tables, or as requests "
        "that another GPSDream draws again. Left out, the choice is all single drawings, newest first.",
        epilog=EXPORT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_argument_group("which pictures")
    which.add_argument("pictures", nargs="*", metavar="PICTURE", help="PNG files that GPSDream saved")
    which.add_argument("--id", nargs="+", action="extend", metavar="ID", help="of pictures in the library")
    which.add_argument("--last", type=_count, metavar="NUMBER", help="only so many, the newest ones")
    which.add_argument("--since", metavar="DAY", help="drawn on this day or later, such as 2026-11-20 (UTC)")
    which.add_argument("--until", metavar="DAY", help="drawn on this day or earlier")
    which.add_argument("--box", metavar="S,W,N,E", help="places in this box: four edges in degrees")
    which.add_argument("--words", metavar="WORDS", help="all of them are in the prompt or the place's name")
    which.add_argument("--model", metavar="NAME", help="drawn by this model")
    which.add_argument(
        "--kind", nargs="+", action="extend", choices=PICTURE_KINDS, help="which sorts of pictures (draw)"
    )
    out = parser.add_argument_group("output")
    out.add_argument("--out", metavar="PATH", required=True, help="the file, or the folder of single pictures")
    out.add_argument("--format", choices=EXPORT_FORMATS, help="left out: as the end of --out says; a folder gets PNG")
    out.add_argument("--share-without-location", action="store_true", help="leave out all that tells the places")
    out.add_argument("--quality", type=_whole_number, metavar="NUMBER", help="of JPEG and WebP, 1 to 100 (92)")
    out.add_argument("--title", metavar="TEXT", help="of a contact sheet, a KMZ or a web map")
    out.add_argument("--field-of-view", type=_number, metavar="DEGREES", help="of the pictures in a KMZ, across (60)")
    _add_json(out)  # type: ignore[arg-type]


def _add_landmarks(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "landmarks",
        help="landmarks and their photos",
        description="List, add and remove landmarks; bring their photos to one framing, from which a model learns.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_json(actions.add_parser("list", help="the landmarks that can be chosen"))
    add = actions.add_parser("add", help="add a landmark of one's own")
    add.add_argument("name", metavar="NAME", help='as in a sentence after "A photo of"')
    add.add_argument("--place", metavar="LAT,LON", required=True, help="coordinates of its foot")
    add.add_argument("--height", type=_number, metavar="METRES", help="of its top above the ground")
    add.add_argument("--photos", metavar="DIR", help="folder of photos of it")
    add.add_argument("--masks", metavar="DIR", help="folder of masks of these photos: PNGs of the same names")
    _add_json(add)
    remove = actions.add_parser("remove", help="remove a landmark of one's own; its photos stay")
    remove.add_argument("id", metavar="ID", help="as `list` shows it")
    _add_json(remove)
    frame = actions.add_parser("frame", help="bring photos of landmarks to one framing")
    frame.add_argument("--landmark", metavar="ID", nargs="+", action="extend", help="only these")
    frame.add_argument("--photos", metavar="DIR", help="folder of photos (each landmark's own)")
    frame.add_argument("--masks", metavar="DIR", help="folder of masks (each landmark's own)")
    frame.add_argument("--side", type=_whole_number, default=96, metavar="PIXELS", help="of the views (96)")
    frame.add_argument("--out", metavar="DIR", required=True, help="folder for views.json and pixels.bin")
    _add_json(frame)


def _add_regions(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "regions",
        help="the regions that `average` knows by name",
        description="List the neighbourhoods and parks of the model's city and one's own regions, with the number of "
        "photos in them that the model has learned from. Streets have names, too.",
    )
    parser.add_argument("--model", metavar="NAME", help="an installed model, or a model folder")
    parser.add_argument("--geojson", metavar="FILE", help="write them to a GeoJSON file")
    _add_json(parser)


def _add_photos(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "photos", help="a collection of geotagged photos", description="Collect geotagged photos."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("import", help="read a folder of photos into the catalogue; repeat it for new ones")
    add.add_argument("folder", metavar="DIR", help="a folder; its subfolders are read too")
    add.add_argument(
        "--workers", type=_whole_number, metavar="NUMBER", help="processes that read (as many as there are cores)"
    )
    add.add_argument("--report", metavar="FILE", help="write the fate of every file as JSON")
    _add_json(add)
    show = actions.add_parser("list", help="what the catalogue holds")
    show.add_argument("folder", nargs="?", metavar="DIR", help="only what is under this folder")
    show.add_argument("--limit", type=_count, default=20, metavar="NUMBER", help="how many to show (20; 0: all)")
    show.add_argument("--rejected", action="store_true", help="files that cannot be used, and why")
    _add_json(show)
    clean = actions.add_parser("clean", help="find duplicates and photos that are far from the others")
    clean.add_argument("folder", nargs="?", metavar="DIR", help="only photos under this folder")
    around = clean.add_mutually_exclusive_group()
    around.add_argument("--city", metavar="NAME", help="far is what lies outside this city (manhattan)")
    around.add_argument("--landmark", metavar="LAT,LON,METRES", help="far is what lies outside this circle")
    clean.add_argument("--apply", action="store_true", help="leave them out of training (no file is deleted)")
    _add_json(clean)
    split = actions.add_parser("split", help="part the photos into training and validation, without leaks")
    split.add_argument("folder", nargs="?", metavar="DIR", help="only photos under this folder")
    split.add_argument("--by", choices=("source", "block"), default="source", help="what stays together (source)")
    split.add_argument("--fraction", type=_number, default=0.1, metavar="SHARE", help="for validation (0.1)")
    split.add_argument(
        "--seed", type=_whole_number, default=0, metavar="NUMBER", help="another one parts them otherwise (0)"
    )
    split.add_argument("--block-metres", type=_number, default=200.0, metavar="METRES", help="side of a block (200)")
    split.add_argument(
        "--margin-metres", type=_number, default=0.0, metavar="METRES", help="nearer ones are in neither (0)"
    )
    split.add_argument("--out", metavar="FILE", help="write both lists as JSON")
    _add_json(split)


def _add_models(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "models",
        help="models on this computer",
        description="List, show, check and download models.",
        epilog=MODELS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_json(actions.add_parser("list", help="installed models, and those that `get` knows"))
    show = actions.add_parser("show", help="what a model is and what it has seen")
    show.add_argument("name", nargs="?", metavar="NAME", help="an installed model, or a model folder")
    _add_json(show)
    verify = actions.add_parser("verify", help="check every file of a model")
    verify.add_argument(
        "name", nargs="?", metavar="NAME", help="an installed model, or a model folder; all if left out"
    )
    _add_json(verify)
    get = actions.add_parser("get", help="download a base model to train from")
    get.add_argument("name", metavar="NAME", help="as `gpsdream models list` gives it")
    _add_json(get)


def _add_evaluate(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure how good a model is",
        description="Measure a model on photos that it has not learned from, and write a report: a page with tables, "
        "plots and pictures, the same as JSON, and a plain table.",
    )
    parser.add_argument("--model", metavar="NAME", required=True, help="an installed model, or a model folder")
    parser.add_argument("--photos", metavar="DIR", required=True, help="geotagged photos, or a prepared folder")
    parser.add_argument("--judges", metavar="DIR", help="what scores pictures; left out: what came with the model")
    parser.add_argument("--clip", metavar="DIR", help="a transformers CLIPModel folder for the CLIP score")
    parser.add_argument("--out", metavar="DIR", help="folder of the report; left out: one in the user's data folder")
    parser.add_argument("--quick", action="store_true", help="a first look with fewer pictures, in a few minutes")
    parser.add_argument(
        "--seen-too", action="store_true", help="also ask about photos that the model learned from, and say so"
    )
    parser.add_argument("--questions", type=_whole_number, metavar="NUMBER", help="that every row answers (96)")
    parser.add_argument(
        "--word-places", type=_whole_number, metavar="NUMBER", help="places at which every word is asked for (48)"
    )
    parser.add_argument("--seed", type=_count, metavar="NUMBER", default=0, help="of everything random (0)")
    _add_json(parser)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, except `train`, whose arguments belong to the trainer."""
    parser = _Parser(
        prog="gpsdream",
        description="Draw what a place could look like, from GPS coordinates and words, on this computer.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"GPSDream {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    commands.add_parser("gui", help="open the window (also what `gpsdream` alone does)", add_help=False)
    _add_generate(commands)
    _add_explain(commands)
    _add_average(commands)
    _add_walk(commands)
    _add_lift(commands)
    _add_export(commands)
    _add_landmarks(commands)
    _add_regions(commands)
    _add_photos(commands)
    commands.add_parser("train", help="train a model from a folder of geotagged photos", add_help=False)
    commands.add_parser(
        "train-landmark", help="train a model that draws landmarks from all sides, for lifting", add_help=False
    )
    commands.add_parser("train-gps-clip", help="train the judges that `evaluate` scores with", add_help=False)
    _add_models(commands)
    _add_evaluate(commands)
    doctor = commands.add_parser(
        "doctor",
        help="check this installation",
        description="Check versions, graphics, the map, folders and models. Exit code 1: something is broken.",
    )
    doctor.add_argument("--save", metavar="FILE", help="also write a ZIP for a bug report, with nothing private in it")
    _add_json(doctor)
    return parser


def _command(name: str) -> Callable[..., int]:
    run: Callable[..., int] = importlib.import_module(f"gpsdream_app.commands.{name.replace('-', '_')}").run
    return run


def _open_window(arguments: Sequence[str]) -> int:
    # By name: the window stands above the command line, and is loaded by none of its other commands.
    try:
        window = importlib.import_module("gpsdream_app.ui.app")
    except ImportError as error:
        from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

        raise GPSDreamError(
            ErrorKind.INTERNAL,
            f"The window cannot be opened: {error}.",
            "`gpsdream doctor` tells what is missing. `gpsdream generate` draws without a window.",
        ) from error
    return int(window.main(list(arguments)))


@contextlib.contextmanager
def _log_file() -> Iterator[None]:
    """Send warnings and tracebacks to the log file, and with GPSDREAM_DEBUG to the terminal."""
    import logging
    import logging.handlers

    from gpsdream_app.domain.errors import GPSDreamError
    from gpsdream_app.library import paths

    handler: logging.Handler
    if os.environ.get("GPSDREAM_DEBUG"):
        handler = logging.StreamHandler()
    else:
        try:
            handler = logging.handlers.RotatingFileHandler(
                paths.log_dir() / LOG_FILE, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8", delay=True
            )
        except (GPSDreamError, OSError):
            # A disk that cannot be written to is told by the command that needs it.
            handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    # A log that cannot be written (a full disk) is no reason to print a traceback.
    raised, logging.raiseExceptions = logging.raiseExceptions, False
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logging.raiseExceptions = raised
        root.removeHandler(handler)
        handler.close()


def _log_details(failure: Failure) -> None:
    if failure.details:
        import logging

        logging.getLogger(__name__).error("%s\n%s", failure.message, failure.details)


def _unexpected(error: Exception) -> Failure:
    """Write an unexpected error's traceback to the log, and return what to tell the person."""
    import logging

    from gpsdream_app.domain.errors import ErrorKind, Failure
    from gpsdream_app.library import paths

    logging.getLogger(__name__).error("Unexpected error", exc_info=error)
    if isinstance(error, OSError) and error.errno is not None:
        return paths.storage_error(error, error.filename or "the disk", "the command ended").failure
    return Failure(
        ErrorKind.INTERNAL,
        f"Something unexpected went wrong: {type(error).__name__}: {str(error).rstrip('.')}.",
        f"The whole story is in {paths.log_dir() / LOG_FILE}.",
    )


def _run(arguments: argparse.Namespace) -> int:
    """Run a parsed command, and turn every error into a sentence and an exit code."""
    from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

    as_json = bool(getattr(arguments, "json", False))
    debug = bool(os.environ.get("GPSDREAM_DEBUG"))
    try:
        # The window keeps a log of its own.
        with contextlib.nullcontext() if arguments.command == "gui" else _log_file():
            try:
                if arguments.command == "gui":
                    return _open_window(arguments.rest)
                return _command(arguments.command)(arguments)
            except GPSDreamError as error:
                if debug:
                    raise
                _log_details(error.failure)
                terminal.show_failure(error.failure, as_json=as_json)
                wrong_usage = error.failure.kind in (ErrorKind.BAD_REQUEST, ErrorKind.BAD_LOCATION)
                return terminal.USAGE if wrong_usage else terminal.FAILED
            except (BrokenPipeError, KeyboardInterrupt):
                raise
            except Exception as error:
                if debug:
                    raise
                terminal.show_failure(_unexpected(error), as_json=as_json)
                return terminal.FAILED
    except KeyboardInterrupt:
        terminal.note("gpsdream: Cancelled.")
        return terminal.CANCELLED
    except BrokenPipeError:
        # The reader of a pipe has gone; nothing more can be said, and the interpreter must not try at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return terminal.FAILED


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments without the program's name; those of the process if None.
    """
    terminal.make_unicode_safe()
    given = list(sys.argv[1:] if argv is None else argv) or ["gui"]
    if given[0] in ("gui", "train", "train-landmark", "train-gps-clip"):
        # Their arguments belong to the window and to the trainers.
        return _run(argparse.Namespace(command=given[0], rest=given[1:]))
    try:
        arguments = build_parser().parse_args(_joined(given))
    except SystemExit as ended:  # after --help or --version
        return int(ended.code or 0)
    except _WrongUsage as error:
        from gpsdream_app.domain.errors import ErrorKind, Failure

        terminal.show_failure(Failure(ErrorKind.BAD_REQUEST, *error.args), as_json="--json" in given)
        return terminal.USAGE
    return _run(arguments)
