"""What a finished PNG carries with it: its parameters, its place, and the mark that a model made it.

Four chunks say it to four kinds of reader: `gpsdream` (our JSON, exact), `parameters` (the text that other
generators read), eXIf (GPS, for photo programs) and XMP (IPTC's digital source type).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_SEED, GenerateRequest
from gpsdream_app.domain.results import PictureRequest, Result, picture_request_from_dict
from gpsdream_app.library.paths import storage_error

SCHEMA = 2
DRAW_SCHEMA = 1  # of single pictures, which programs that know no averages read as well
KEYWORD = "gpsdream"
PARAMETERS_KEYWORD = "parameters"
XMP_KEYWORD = "XML:com.adobe.xmp"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES = 1 << 20  # of one chunk, after it is unpacked; ours are a few kilobytes, but for an average's
MAX_OWN_BYTES = 16 << 20  # of our JSON, which holds all places of an average and the outline of its region
PACKED_BYTES = 16 << 10  # of our JSON, from which on it is compressed
MAX_TEXT_CHUNKS = 64
MAX_PIXELS = 1 << 26

_EXIF_SOFTWARE, _EXIF_DATE_TIME, _EXIF_GPS = 0x0131, 0x0132, 0x8825
_EXIF_MORE, _EXIF_COMMENT = 0x8769, 0x9286
_ARC_SECOND_PARTS = 1_000_000  # a millionth of a second of arc is 0.03 mm on the ground


# -- writing --


def save_png(image: Image.Image, path: Path, result: Result, include_place: bool = True) -> None:
    """Write a picture with all that is known about it.

    The file appears whole or not at all: it is written under another name and then renamed.

    Args:
        image: the picture; written as RGB.
        path: where to; missing folders are created, an existing file is replaced.
        result: what made the picture.
        include_place: False leaves out latitude, longitude, heading, the place's name and the distance to
            photos, and shortens the path of a model to its name, since a path gives away as much. An average cannot
            be drawn again without its places: all that is left of its request are words and settings.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    kept = result if include_place else without_place(result)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(PARAMETERS_KEYWORD, parameters_text(kept))
    if type(kept.request) is type(result.request):
        text = _to_json(kept)
        # Pillow opens no picture with a larger packed text.
        chunks.add_itxt(KEYWORD, text, zip=PACKED_BYTES < len(text) < MAX_TEXT_BYTES)
    result = kept
    chunks.add_itxt(XMP_KEYWORD, xmp_packet(result))
    try:
        with whole_file(path) as temporary:
            image.convert("RGB").save(temporary, "PNG", pnginfo=chunks, exif=exif_bytes(result))
    except OSError as error:
        raise storage_error(error, path.parent, "the picture was not saved") from error


def without_place(result: Result) -> Result:
    """Return a result that tells nothing of where it is, for sharing.

    An average becomes a single picture with its words and settings.
    """
    request = result.request
    if isinstance(request, AverageRequest):
        request = request.single(request.place)
    model = PurePath(request.model.replace("\\", "/")).name or request.model
    return replace(
        result,
        request=replace(request, place=None, model=model),
        series="",
        photo_distance=None,
        typicality_rank=None,
        places_compared=0,
    )


def parameters_text(result: Result) -> str:
    """Return prompt and settings as the text that other image generators write and read.

    For an average they tell how many places it is of, and the middle of them as its place.
    """
    request = result.request
    lines = [_plain(request.prompt)]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {_plain(request.negative_prompt)}")
    settings = {
        "Steps": str(request.steps),
        "CFG scale": repr(request.text_guidance),
        "Place guidance": repr(request.place_guidance),
        "Seed": str(request.seed),
        "Size": f"{result.width}x{result.height}",
        "Model hash": result.model_hash,
        "Model": request.model,
    }
    if request.place:
        settings["GPS"] = f"{request.place.lat!r};{request.place.lon!r}"
        if request.place.heading is not None:
            settings["Heading"] = repr(request.place.heading)
        if request.place.name:
            settings["Place"] = request.place.name
    if isinstance(request, AverageRequest):
        (region,) = request.regions
        settings["Average of"] = f"{len(region.places)} places"
        if request.subset is not None:
            settings["Places per step"] = str(request.subset)
        settings["Sampling"] = region.sampling.value
    settings["Version"] = f"GPSDream {result.app_version}"
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value))
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Drop what a PNG text chunk cannot hold: NUL and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _quoted(value: str) -> str:
    return json.dumps(value) if re.search(r'[,:"\\\n\r\0]|^\s|\s$|[^\x20-\x7e]', value) else value


def _to_json(result: Result) -> str:
    # The path stays out: it holds the name of a person's home folder. ASCII escapes carry any text unchanged.
    data = {key: value for key, value in result.to_dict().items() if key != "path"}
    schema = SCHEMA if isinstance(result.request, AverageRequest) else DRAW_SCHEMA
    return json.dumps({"schema": schema, **data})


def exif_bytes(result: Result, comment: str = "") -> bytes:
    """Return what a picture says of itself as an EXIF block: program, time and place.

    Args:
        result: what made the picture.
        comment: for the user comment, where formats without text chunks carry the parameters; empty leaves it out.
    """
    exif = Image.Exif()
    exif[_EXIF_SOFTWARE] = f"GPSDream {result.app_version}"
    with contextlib.suppress(ValueError):
        exif[_EXIF_DATE_TIME] = datetime.fromisoformat(result.created).strftime("%Y:%m:%d %H:%M:%S")
    place = result.request.place
    if place:
        gps: dict[int, Any] = {
            0: b"\x02\x03\x00\x00",
            1: "N" if place.lat >= 0 else "S",
            2: _degrees_minutes_seconds(place.lat),
            3: "E" if place.lon >= 0 else "W",
            4: _degrees_minutes_seconds(place.lon),
            18: "WGS-84",
        }
        if place.heading is not None:
            gps[16] = "T"
            gps[17] = IFDRational(round(place.heading * 10_000) % 3_600_000, 10_000)
        exif.get_ifd(_EXIF_GPS).update(gps)
    if comment:
        exif.get_ifd(_EXIF_MORE)[_EXIF_COMMENT] = b"UNICODE\0" + _plain(comment).encode("utf-16-be")
    return exif.tobytes()


def _degrees_minutes_seconds(angle: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    # Whole numbers first, so that rounding never gives 60 seconds.
    minutes, parts = divmod(round(abs(angle) * 3600 * _ARC_SECOND_PARTS), 60 * _ARC_SECOND_PARTS)
    degrees, minutes = divmod(minutes, 60)
    return IFDRational(degrees, 1), IFDRational(minutes, 1), IFDRational(parts, _ARC_SECOND_PARTS)


def xmp_packet(result: Result) -> str:
    """Return what a picture says of itself as XMP, with the digital source type that marks it as made by a model."""
    request = result.request
    prompt = request.prompt
    if request.negative_prompt:
        prompt += f"\nNegative prompt: {request.negative_prompt}"
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <xmp:CreatorTool>GPSDream {_xml(result.app_version)}</xmp:CreatorTool>
   <xmp:CreateDate>{_xml(result.created)}</xmp:CreateDate>
   <dc:description>
    <rdf:Alt><rdf:li xml:lang="x-default">{_xml(request.prompt)}</rdf:li></rdf:Alt>
   </dc:description>
   <Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
   <Iptc4xmpExt:AISystemUsed>GPSDream, {_xml(result.model_title)}</Iptc4xmpExt:AISystemUsed>
   <Iptc4xmpExt:AISystemVersionUsed>{_xml(result.app_version)}</Iptc4xmpExt:AISystemVersionUsed>
   <Iptc4xmpExt:AIPromptInformation>{_xml(prompt)}</Iptc4xmpExt:AIPromptInformation>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def _xml(text: str) -> str:
    # XML 1.0 has no way to write most control characters, not even escaped.
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", " ", text))


# -- reading --


def read_png(path: Path) -> GenerateRequest:
    """Read the request that draws a single picture again; see `read_request`.

    Raises:
        GPSDreamError: as `read_request`, and of kind `bad_photo` if it is the average of a region.
    """
    request = read_request(path)
    if isinstance(request, AverageRequest):
        raise _bad(path, "is the average of a region.", "Open it in Neighbourhoods.")
    return request


def read_request(path: Path) -> PictureRequest:
    """Read the request that draws a picture again, be it a single picture or an average.

    Our own JSON gives it exactly. Without it, the text that other image generators write is understood, with
    the place from its GPS entry or from EXIF. Pixels are never decoded, so a picture of any size costs nothing.

    Raises:
        GPSDreamError: of kind `bad_photo` if the file is missing, no PNG, damaged, or carries no parameters.
    """
    texts, exif = _read_chunks(path)
    try:
        if KEYWORD in texts:
            return picture_request_from_dict(_from_json(texts[KEYWORD], path)["request"])
        if PARAMETERS_KEYWORD in texts:
            return _from_parameters(texts[PARAMETERS_KEYWORD], exif)
    except GPSDreamError as error:
        if error.failure.kind is ErrorKind.BAD_PHOTO:
            raise
        sentence = error.failure.message
        raise _bad(path, f"holds parameters that cannot be used. {sentence}", "Set them in the form.") from None
    raise _bad(
        path,
        "carries no parameters, so there is nothing to restore.",
        "Drop a PNG that GPSDream saved. Other programs may remove the parameters when they save a picture.",
    )


def read_result(path: Path) -> Result:
    """Read all that our own JSON says about a picture. Raises as `read_png` does, and for foreign pictures."""
    texts, _ = _read_chunks(path)
    if KEYWORD not in texts:
        raise _bad(path, "was not saved by GPSDream.")
    data = _from_json(texts[KEYWORD], path)
    try:
        result = Result.from_dict({**data, "path": str(path)})
    except GPSDreamError as error:
        raise _bad(path, f"holds parameters that cannot be used. {error.failure.message}") from None
    if not _is_sound(result):
        raise _bad(path, "holds parameters of the wrong kind.")
    return result


def _is_sound(result: Result) -> bool:
    """Whether the values have the types that `Result` promises; the file may come from anybody."""
    texts = (result.id, result.job_id, result.created, result.model_title, result.model_hash, result.series)
    if not all(isinstance(text, str) for text in (*texts, result.app_version)):
        return False
    if isinstance(result.request, AverageRequest):
        photos = result.request.regions[0].photos
        if result.request.count != 1 or not (photos is None or (type(photos) is int and photos >= 0)):
            return False
    try:
        datetime.fromisoformat(result.created)
        numbers = [float(value) for value in (result.seconds, result.width, result.height)]
        if result.photo_distance is not None:
            numbers.append(float(result.photo_distance))
        rank = result.typicality_rank
        if not (rank is None or 0 <= float(rank) <= 1) or not 0 <= int(result.places_compared) < 1 << 31:
            return False
    except (TypeError, ValueError, OverflowError):
        return False
    return bool(re.fullmatch("[0-9a-f]{32}", result.id)) and all(map(math.isfinite, numbers))


def _bad(path: Path, what: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_PHOTO, f"“{path.name[:80]}” {what}", hint)


def _damaged(path: Path) -> GPSDreamError:
    return _bad(path, "is damaged or cut off.", "Copy it again from where it came from.")


def _read_chunks(path: Path) -> tuple[dict[str, str], bytes]:
    """Return the first text of each keyword, and the bytes of EXIF (empty if none)."""
    try:
        with path.open("rb") as file:
            return _parse_chunks(file, os.fstat(file.fileno()).st_size, path)
    except FileNotFoundError:
        raise _bad(path, "does not exist (any more).") from None
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror or error}.") from None


def _parse_chunks(file: BinaryIO, size: int, path: Path) -> tuple[dict[str, str], bytes]:
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise _bad(path, "is not a PNG picture.", "Drop a PNG that GPSDream saved.")
    texts: dict[str, str] = {}
    exif = b""
    seen = 0
    position = len(SIGNATURE)
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise _damaged(path)
        length, kind = struct.unpack(">I4s", head)
        following = position + 12 + length
        if following > size:
            raise _damaged(path)
        most = MAX_OWN_BYTES if kind == b"iTXt" and KEYWORD not in texts else MAX_TEXT_BYTES
        if kind in (b"IHDR", b"tEXt", b"zTXt", b"iTXt", b"eXIf") and length <= most:
            data = file.read(length)
            if struct.pack(">I", zlib.crc32(kind + data)) != file.read(4):
                raise _damaged(path)
            if kind == b"IHDR":
                _check_header(data, path)
            elif kind == b"eXIf":
                exif = data
            elif (seen := seen + 1) <= MAX_TEXT_CHUNKS and (entry := _text(kind, data)):
                texts.setdefault(*entry)
        if (position == len(SIGNATURE)) != (kind == b"IHDR"):
            raise _damaged(path)
        if kind == b"IEND":
            return texts, exif
        file.seek(following)
        position = following


def _check_header(data: bytes, path: Path) -> None:
    if len(data) != 13:
        raise _damaged(path)
    width, height = struct.unpack(">II", data[:8])
    if not (width and height):
        raise _damaged(path)
    if width * height > MAX_PIXELS:
        raise _bad(path, f"is {width:,} by {height:,} pixels, which is more than GPSDream opens.")


def _text(kind: bytes, data: bytes) -> tuple[str, str] | None:
    """Return keyword and text of a text chunk; None if it is broken or unpacks to too much."""
    keyword, found, rest = data.partition(b"\0")
    if not found:
        return None
    try:
        name = keyword.decode("latin-1")
        if len(data) > MAX_TEXT_BYTES and (kind != b"iTXt" or name != KEYWORD):
            return None
        if kind == b"tEXt":
            return name, rest.decode("latin-1")
        if kind == b"zTXt":
            return name, _unpack(rest[1:]).decode("latin-1")
        packed, rest = rest[0], rest[2:]
        rest = rest.split(b"\0", 2)[2]  # past the language and the translated keyword
        return name, (_unpack(rest) if packed else rest).decode("utf-8")
    except (ValueError, IndexError, zlib.error):
        return None


def _unpack(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, MAX_TEXT_BYTES)
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError("the text is too long or cut off")
    return text


def _from_json(text: str, path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
        schema = data["schema"]
        if schema > SCHEMA:
            raise _bad(path, "was made by a newer GPSDream.", "Update GPSDream to open it.")
        if not isinstance(data["request"], dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _bad(path, "holds parameters that cannot be read.", "Set them in the form.") from None
    return dict(data)


_SETTING = re.compile(r'\s*([A-Za-z][\w \-/]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')


def _from_parameters(text: str, exif: bytes) -> GenerateRequest:
    body, _, last = text.rstrip().rpartition("\n")
    settings = {key.strip(): _unquoted(value.strip()) for key, value in _SETTING.findall(last)}
    if len(settings) < 3 or "Steps" not in settings:
        body, settings = text, {}
    prompt, marker, negative = body.rpartition("\nNegative prompt:")
    if not marker:
        prompt, negative = (body, "") if not body.startswith("Negative prompt:") else ("", body[16:])
    values: dict[str, Any] = {"prompt": prompt.strip(), "negative_prompt": negative.strip()}
    defaults = GenerateRequest(place=None)
    values["steps"] = int(_number(settings.get("Steps"), defaults.steps))
    values["seed"] = int(_number(settings.get("Seed"), defaults.seed)) % (MAX_SEED + 1)
    values["text_guidance"] = _number(settings.get("CFG scale"), defaults.text_guidance)
    values["place_guidance"] = _number(settings.get("Place guidance"), defaults.place_guidance)
    if settings.get("Version", "").startswith("GPSDream") and settings.get("Model"):
        values["model"] = settings["Model"]
    return GenerateRequest(place=_place_from_settings(settings) or _place_from_exif(exif), **values)


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(value))
    return value


def _number(text: str | None, default: float) -> float:
    try:
        number = float(text) if text else default
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def _place_from_settings(settings: Mapping[str, str]) -> Place | None:
    lat, found, lon = settings.get("GPS", "").partition(";")
    if not found:
        return None
    heading = settings.get("Heading")
    return Place(lat.strip(), lon.strip(), heading, settings.get("Place", ""))  # type: ignore[arg-type]


def _place_from_exif(data: bytes) -> Place | None:
    """Return the place in EXIF, or None if there is none that can be believed."""
    if not data:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of broken EXIF; here it is simply no place
            exif = Image.Exif()
            exif.load(data)
            gps = exif.get_ifd(_EXIF_GPS)
        lat, lon = (
            sum(float(part) / 60**power for power, part in enumerate(gps[tag])) * (-1 if gps[tag - 1] in "SW" else 1)
            for tag in (2, 4)
        )
        return Place(lat, lon, float(gps[17]) if 17 in gps else None)
    except (
        GPSDreamError,
        KeyError,
        TypeError,
        ValueError,
        ArithmeticError,
        OSError,
        SyntaxError,
        struct.error,
    ):
        return None
