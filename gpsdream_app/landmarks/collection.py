"""Photos of a landmark: where each photographer stood seen from it, how surely, and which sides nobody photographed.

Nothing here looks at pixels; `framing` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark
from gpsdream_app.geo.azimuth import BINS, angle_between, azimuth_bin, heading_of, standpoint
from gpsdream_app.landmarks.sun import is_night
from gpsdream_app.photos.exif import FILM_DIAGONAL
from gpsdream_app.photos.reader import read_photo
from gpsdream_app.photos.records import HeadingReference, PhotoRecord

GPS_ERROR = 5.0  # metres, root mean square of a phone's place under open sky
COMPASS_ERROR = 4.0  # degrees, standard deviation of a phone's compass
MAGNETIC_ERROR = 15.0  # degrees: what a heading from magnetic north, or from an unknown one, may be off
LENS_ERROR = 0.29  # mm, standard deviation of a focal length that was rounded to a whole number
MASKS = "masks"  # the folder beside photos in which their masks lie, unless another one is named
FARTHEST = 20.0  # heights: a photo from farther off is not of the landmark
LONGEST_REACH = 5000.0  # metres
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif"})


@dataclass(frozen=True, slots=True)
class LandmarkPhoto:
    """One photo of a landmark.

    Attributes:
        path: of the file.
        landmark: id.
        azimuth: where the photographer stood seen from the foot, degrees clockwise from north, 0 <= azimuth < 360.
        azimuth_sigma: standard deviation of the azimuth in degrees, at most 104 (nothing known).
        distance: from the foot on the ground in metres.
        distance_sigma: its standard deviation in metres.
        heading: direction of the optical axis as the file says it, degrees; None if it does not.
        heading_sigma: its standard deviation in degrees.
        focal_length_35mm: in mm, compared by the diagonal; None if not known.
        width: of the upright picture in pixels.
        height: of the upright picture in pixels.
        night: whether the sun stood under -4 degrees.
    """

    path: Path
    landmark: str
    azimuth: float
    azimuth_sigma: float
    distance: float
    distance_sigma: float
    heading: float | None
    heading_sigma: float
    focal_length_35mm: float | None
    width: int
    height: int
    night: bool

    @property
    def focal_length(self) -> float | None:
        """In pixels of the upright picture; None if not known."""
        if self.focal_length_35mm is None:
            return None
        return self.focal_length_35mm / FILM_DIAGONAL * math.hypot(self.width, self.height)

    @property
    def fov(self) -> float | None:
        """Vertical field of view in degrees; None if not known."""
        focal = self.focal_length
        return None if focal is None else math.degrees(2 * math.atan(self.height / 2 / focal))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photo that cannot be used.

    Attributes:
        path: of the file.
        why: a sentence.
    """

    path: Path
    why: str


def photo_of(record: PhotoRecord, which: Landmark, gps_error: float = GPS_ERROR) -> LandmarkPhoto:
    """Return what a record of the photo catalogue says about a landmark.

    Args:
        record: of the photo.
        which: the landmark.
        gps_error: root mean square of the distance between the true place and the one in the file, in metres.
    """
    seen = standpoint((which.lat, which.lon), (record.lat, record.lon))
    along = gps_error / math.sqrt(2)
    true_north = record.heading_reference is HeadingReference.TRUE
    return LandmarkPhoto(
        record.path,
        which.id,
        seen.azimuth,
        azimuth_sigma(along, seen.distance),
        seen.distance,
        along,
        record.heading,
        COMPASS_ERROR if true_north else MAGNETIC_ERROR,
        record.focal_length_35mm,
        record.width,
        record.height,
        is_night(record.taken, which.lat, which.lon),
    )


def azimuth_sigma(along: float, distance: float) -> float:
    """Return the standard deviation in degrees of an azimuth whose place is off by `along` metres across the line.

    At most that of an azimuth of which nothing is known, 360 / sqrt(12).
    """
    return min(
        math.degrees(math.atan2(along, distance)) * max(1.0, 3 * along / max(distance, 1e-9)), 360 / math.sqrt(12)
    )


def with_direction(photo: LandmarkPhoto, bearing_offset: float, offset_sigma: float) -> LandmarkPhoto:
    """Return the photo with a better azimuth: the inverse-variance mean of the GPS's and of the direction of view's.

    Whoever looks at the landmark in direction b stands at azimuth b + 180. The photo's direction is that of its
    middle, so the landmark's column in the picture is added.

    Args:
        photo: with the azimuth of its place; without a heading it comes back as it is.
        bearing_offset: of the landmark's axis, to the right of the optical axis, in degrees on the ground.
        offset_sigma: its standard deviation in degrees.
    """
    if photo.heading is None:
        return photo
    other = (photo.heading + bearing_offset + 180.0) % 360.0
    other_sigma = math.hypot(photo.heading_sigma, offset_sigma)
    difference = angle_between(other, photo.azimuth)
    # A compass beside steel is off by anything: then the place alone counts.
    if abs(difference) > 4 * math.hypot(other_sigma, photo.azimuth_sigma):
        return photo
    share = photo.azimuth_sigma**2 / (photo.azimuth_sigma**2 + other_sigma**2)
    sigma = photo.azimuth_sigma * other_sigma / math.hypot(photo.azimuth_sigma, other_sigma)
    return replace(photo, azimuth=(photo.azimuth + share * difference) % 360.0, azimuth_sigma=sigma)


def reach(which: Landmark) -> float:
    """The distance in metres beyond which a photo is not taken for one of the landmark."""
    return min(LONGEST_REACH, max(100.0, FARTHEST * which.height))


def meant_landmark(record: PhotoRecord, landmarks: Sequence[Landmark]) -> Landmark | None:
    """Return which landmark a photo shows: the one that its caption names, or at which it looks, or the nearest one.

    Args:
        record: of the photo.
        landmarks: to choose from.

    Returns:
        None if it stands too far from all of them, or looks away.
    """
    near = [which for which in landmarks if _distance(record, which) <= reach(which)]
    caption = record.caption.casefold()
    named = [which for which in near if which.title.casefold() in caption]
    if len(named) == 1:
        return named[0]
    if record.heading is not None:
        off = {which.id: abs(angle_between(record.heading, _bearing(record, which))) for which in near}
        widest = (
            60.0 if record.focal_length_35mm is None else math.degrees(math.atan(18 / record.focal_length_35mm)) + 15
        )
        near = sorted((which for which in near if off[which.id] <= widest), key=lambda which: off[which.id])
        return near[0] if near else None
    return min(near, key=lambda which: _distance(record, which) / which.height, default=None)


def _distance(record: PhotoRecord, which: Landmark) -> float:
    return standpoint((which.lat, which.lon), (record.lat, record.lon)).distance


def _bearing(record: PhotoRecord, which: Landmark) -> float:
    return heading_of(standpoint((which.lat, which.lon), (record.lat, record.lon)).azimuth)


def picture_files(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its subfolders by path, but for masks and what is hidden.

    Raises:
        GPSDreamError: of kind `bad_request` if there is no such folder.
    """
    if not folder.is_dir():
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"There is no folder “{folder.name[:80]}”.", "Choose a folder of photos."
        )
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in inside) or not path.is_file():
            continue
        if MASKS not in inside[:-1] and not path.name.endswith(".mask.png"):
            found.append(path)
    return found


def records_in(folder: Path) -> tuple[list[PhotoRecord], list[LeftOut]]:
    """Read the photos of a folder and its subfolders, without a catalogue; masks and what is hidden are left out.

    Returns:
        The photos that have a place, by path, and the files that cannot be used.

    Raises:
        GPSDreamError: if there is no such folder.
    """
    records: list[PhotoRecord] = []
    left_out: list[LeftOut] = []
    for path in picture_files(folder):
        outcome, record = read_photo(path)
        if record is None:
            left_out.append(LeftOut(path, outcome.reason.sentence))
        else:
            records.append(record)
    return records, left_out


def photos_of(
    which: Landmark, records: Iterable[PhotoRecord], others: Sequence[Landmark] = LANDMARKS
) -> list[LandmarkPhoto]:
    """Return the photos of one landmark among those of a catalogue or folder.

    Args:
        which: the landmark.
        records: such as `Catalogue.photos` or `records_in` give.
        others: landmarks that a photo could show instead.
    """
    landmarks = [which, *(other for other in others if other.id != which.id)]
    return [photo_of(record, which) for record in records if meant_landmark(record, landmarks) is which]


def rose(photos: Iterable[LandmarkPhoto]) -> tuple[int, ...]:
    """Return how many photos were taken from each of the 36 bins of azimuth; bin 0 is north, bin 9 east."""
    counts = [0] * BINS
    for photo in photos:
        counts[azimuth_bin(photo.azimuth)] += 1
    return tuple(counts)


def nearest_photo(
    photos: Iterable[LandmarkPhoto], azimuth: float, *, night: bool | None = None
) -> LandmarkPhoto | None:
    """Return the photo that was taken from nearest to an azimuth.

    Args:
        photos: to choose from.
        azimuth: in degrees clockwise from north.
        night: only photos of the night, or of the day; None takes both.

    Returns:
        None if there is none.
    """
    fitting = (photo for photo in photos if night is None or photo.night is night)
    return min(fitting, key=lambda photo: abs(angle_between(photo.azimuth, azimuth)), default=None)
