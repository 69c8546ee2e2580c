"""Points in the patient: what a pixel's coordinates are, and which slice lies nearest to a point."""

from kiosk.imaging.studies.geometry import Vector, nearest
from kiosk.imaging.studies.model import Instance, Picture, SeriesContents
from kiosk.views.words import _


def point_at(instance: Instance, place: int, row: float, column: float) -> Vector | None:
    """The LPS position in mm of a pixel of the frame at `place`; None where the image does not say where it lies."""
    plane = instance.plane(place)
    return None if plane is None else plane.to_patient(row, column)


def pixel_of(instance: Instance, picture: Picture, x: float, y: float) -> tuple[float, float]:
    """Row and column under a spot of the picture, given as shares of its width and height."""
    rows, columns = instance.rows or picture.height, instance.columns or picture.width
    return y * rows - 0.5, x * columns - 0.5


def nearest_slice(contents: SeriesContents, point: Vector, frame_of_reference_uid: str) -> tuple[Instance, int] | None:
    """The instance, and its frame by place, whose plane lies nearest to the point; None where none says where it lies
    in the same frame of reference: coordinates of another have nothing to do with these."""
    known = [
        (instance, place, plane)
        for instance in contents.instances
        if instance.frame_of_reference_uid == frame_of_reference_uid
        for place in range(max(1, len(instance.frame_places)))
        if (plane := instance.plane(place)) is not None
    ]
    index = nearest([plane for _instance, _place, plane in known], point)
    return None if index is None else known[index][:2]


def point_line(point: Vector) -> str:
    """A point in words, each coordinate with the direction in which it lies from the origin."""
    pairs = zip(point, ("LR", "PA", "HF"), strict=True)
    parts = (f"{letters[value < 0]} {abs(value):.1f}" for value, letters in pairs)
    return _("{point} mm").format(point=" ".join(parts))
