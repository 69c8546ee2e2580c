"""A picture of one frame, for looking at what is selected, not for diagnosis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies import palette, tone
from kiosk.imaging.studies.attributes import Attributes, collect
from kiosk.imaging.studies.codecs import DECODING_ERRORS, decode_frame
from kiosk.imaging.studies.codestream import claimed_size
from kiosk.imaging.studies.elements import PIXEL_DATA, Element
from kiosk.imaging.studies.geometry import Letters, orientation_letters, patient_orientation_letters
from kiosk.imaging.studies.header import FRAME_GROUPS, SHARED_GROUPS, frame_place
from kiosk.imaging.studies.lenient import lenient
from kiosk.imaging.studies.model import Picture
from kiosk.imaging.studies.source import Source, open_object
from kiosk.imaging.studies.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    is_encapsulated,
    sop_class_name,
    transfer_syntax_name,
)
from readers.text import safe_text

MAX_FRAME_BYTES: Final = 128 << 20

_SOP_CLASS: Final = 0x00080016
_SAMPLES: Final = 0x00280002
_PHOTOMETRIC: Final = 0x00280004
_PLANAR: Final = 0x00280006
_FRAMES: Final = 0x00280008
_ROWS: Final = 0x00280010
_COLUMNS: Final = 0x00280011
_ASPECT: Final = 0x00280034
_SPACINGS: Final = (0x00280030, 0x00181164, 0x00182010)
_ALLOCATED: Final = 0x00280100
_STORED: Final = 0x00280101
_SIGNED: Final = 0x00280103
_PATIENT_ORIENTATION: Final = 0x00200020
_PIXEL_MEASURES: Final = 0x00289110
_FRAME_VOI: Final = 0x00289132
_VALUE_TRANSFORMATION: Final = 0x00289145
_KEYWORDS: Final = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}

_WANTED: Final = frozenset(
    {
        _SOP_CLASS, _SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES, _ROWS, _COLUMNS, _ASPECT, *_SPACINGS, _ALLOCATED, _STORED,
        _SIGNED, _PATIENT_ORIENTATION, 0x00200032, 0x00200037, SHARED_GROUPS, FRAME_GROUPS, tone.INTERCEPT, tone.SLOPE,
        tone.CENTER, tone.WIDTH, tone.FUNCTION, tone.MODALITY_TABLES, tone.VOI_TABLES, tone.PADDING,
        *palette.DESCRIPTORS, *palette.TABLES, *palette.SEGMENTED_TABLES,
    }
)  # fmt: skip
_COLOUR: Final = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})


def render(path: Path, frame: int, max_width: int, max_height: int) -> Picture:
    """Frame `frame`, from 0, windowed, and scaled down where it does not fit into the given pixels.

    Raises UnreadableObject with a sentence that says why there is no picture.
    """
    with open_object(path) as source:
        attributes = collect(_through_pixels(source))
        pixel_element = next((attributes.elements[tag] for tag in PIXEL_DATA if tag in attributes.elements), None)
        if pixel_element is None:
            kind = safe_text(sop_class_name(attributes.text(_SOP_CLASS)))
            raise UnreadableObject(f"This object holds no image ({kind}). Its tags can still be read.")
        frames = max(attributes.integer(_FRAMES) or 1, 1)
        if not 0 <= frame < frames:
            raise UnreadableObject(f"The object has {frames} frames; there is no frame {frame + 1}.")
        stored, photometric = _decode(source, attributes, pixel_element, frame, frames)
    image, window = _drawn(stored, photometric, attributes, frame)
    return _picture(image, window, attributes, frame, frames, (max_width, max_height))


def _through_pixels(source: Source) -> Iterator[Element]:
    """What comes after the pixel data, often padding, cannot spoil the picture."""
    for element in source.walk(lambda tag, depth: depth > 0 or tag in _WANTED):
        yield element
        if element.depth == 0 and element.tag in PIXEL_DATA:
            return


def _options(attributes: Attributes, element: Element, source: Source) -> dict[str, Any]:
    """The decoder's options from the Image Pixel Module (PS3.3 C.7.6.3), checked against the cap."""
    rows, columns = attributes.integer(_ROWS) or 0, attributes.integer(_COLUMNS) or 0
    samples, allocated = attributes.integer(_SAMPLES) or 1, attributes.integer(_ALLOCATED) or 0
    keyword = _KEYWORDS[element.tag]
    if keyword != "PixelData":
        allocated = 32 if keyword == "FloatPixelData" else 64
    if rows <= 0 or columns <= 0 or samples not in (1, 3) or allocated not in (1, 8, 16, 32, 64):
        raise UnreadableObject(
            f"The image's description makes no sense: {rows} rows, {columns} columns, {samples} samples, "
            f"{allocated} bits."
        )
    if rows * columns * samples * max(allocated, 8) // 8 > MAX_FRAME_BYTES:
        raise UnreadableObject(f"The image is too large to be shown here: {columns} x {rows} pixels.")
    photometric = attributes.text(_PHOTOMETRIC).upper() or ("MONOCHROME2" if samples == 1 else "RGB")
    options: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": samples,
        "bits_allocated": allocated,
        "photometric_interpretation": photometric,
        "pixel_keyword": keyword,
        "pixel_vr": element.vr,
    }
    if keyword == "PixelData":
        options["bits_stored"] = attributes.integer(_STORED) or allocated
        options["pixel_representation"] = 1 if attributes.integer(_SIGNED) else 0
    if samples > 1:
        options["planar_configuration"] = attributes.integer(_PLANAR) or 0
    return options


def _decode(
    source: Source, attributes: Attributes, element: Element, frame: int, frames: int
) -> tuple[NDArray[np.generic], str]:
    """Stored values of one frame and the photometric interpretation they have after decoding."""
    syntax = source.transfer_syntax_uid
    options = _options(attributes, element, source)
    name = safe_text(transfer_syntax_name(syntax))
    try:
        with lenient():
            decoder = get_decoder(EXPLICIT_VR_LITTLE_ENDIAN if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else syntax)
    except NotImplementedError:
        raise UnreadableObject(f"Pictures compressed as {name} cannot be decoded here.") from None
    if not decoder.is_available:
        raise UnreadableObject(f"Pictures compressed as {name} cannot be decoded here: the decoder is missing.")
    try:
        with lenient():
            source.stream.seek(element.offset)
            if is_encapsulated(syntax):
                data = _frame_bytes(source, frame, frames, options, name)
                result, properties = decode_frame(decoder, data, options)
            else:
                result, properties = decoder.as_array(source.stream, index=frame, number_of_frames=frames, **options)
    except DECODING_ERRORS:
        # The decoders' own words quote bytes and paths; the kind of encoding is what a reader can use.
        raise UnreadableObject(f"The pixel data of this object cannot be decoded ({name}).") from None
    return result, str(properties.get("photometric_interpretation", options["photometric_interpretation"]))


def _frame_bytes(source: Source, frame: int, frames: int, options: dict[str, Any], name: str) -> bytes:
    data: bytes = get_frame(source.stream, frame, number_of_frames=frames)
    claimed = claimed_size(data)
    if claimed is not None and claimed != (options["rows"], options["columns"], options["samples_per_pixel"]):
        raise UnreadableObject(
            f"The compressed image ({name}) claims {claimed[1]} x {claimed[0]} pixels of {claimed[2]} samples, "
            f"its header {options['columns']} x {options['rows']} of {options['samples_per_pixel']}."
        )
    whole: bytes = encapsulate([data], has_bot=False)
    return whole


def _groups(attributes: Attributes, frame: int, macro: int) -> list[Attributes]:
    """A functional group macro of the frame, then the shared one, then the top of the data set (PS3.3 C.7.6.16.1)."""
    frames = attributes.items(FRAME_GROUPS)
    own = frames[frame].first(macro) if frame < len(frames) else Attributes()
    return [own, attributes.first(SHARED_GROUPS, macro), attributes]


def _drawn(
    stored: NDArray[np.generic], photometric: str, attributes: Attributes, frame: int
) -> tuple[NDArray[np.uint8], tuple[float, float] | None]:
    """8-bit pixels, grey of two or RGB of three dimensions, and the window in rescaled units where one was used."""
    if stored.ndim == 3:
        if photometric not in _COLOUR:
            raise UnreadableObject(f"Colours given as {safe_text(photometric)} cannot be shown here.")
        if stored.dtype.itemsize > 1:
            bits = attributes.integer(_STORED) or 8 * stored.dtype.itemsize
            stored = stored.astype(np.int64) >> max(0, bits - 8)
        return np.clip(stored.astype(np.int64), 0, 255).astype(np.uint8), None
    if photometric == "PALETTE COLOR":
        return palette.apply_palette(stored, attributes), None
    transform = _groups(attributes, frame, _VALUE_TRANSFORMATION)
    voi = _groups(attributes, frame, _FRAME_VOI)
    grey_tone = tone.Tone.of([*transform[:2], *voi[:2], attributes])
    window = grey_tone.fitted(stored)
    grey = grey_tone.apply(stored, window)
    used = None if grey_tone.voi and not grey_tone.window else (window.center, window.width)
    return (255 - grey if photometric == "MONOCHROME1" else grey), used


def _picture(
    pixels: NDArray[np.uint8],
    window: tuple[float, float] | None,
    attributes: Attributes,
    frame: int,
    frames: int,
    size: tuple[int, int],
) -> Picture:
    rows, columns = pixels.shape[:2]
    scale = min(1.0, max(size[0], 1) / columns, max(size[1], 1) / rows)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    mode = "L" if pixels.ndim == 2 else "RGB"
    image = Image.frombytes(mode, (columns, rows), np.ascontiguousarray(pixels).tobytes())
    if (width, height) != (columns, rows):
        image = image.resize((width, height), Image.Resampling.BOX)
    aspect = _aspect(attributes, frame) * (rows / height) / (columns / width)
    letters = _letters(attributes, frame)
    return Picture(width, height, mode, image.tobytes(), letters, aspect, window, frame, frames)


def _aspect(attributes: Attributes, frame: int) -> float:
    """Height of a stored pixel over its width, from whatever spacing there is."""
    for group in _groups(attributes, frame, _PIXEL_MEASURES):
        for tag in _SPACINGS:
            spacing = group.numbers(tag)
            if len(spacing) == 2 and min(spacing) > 0:
                return min(max(spacing[0] / spacing[1], 0.01), 100.0)
    ratio = attributes.numbers(_ASPECT)
    if len(ratio) == 2 and min(ratio) > 0:
        return min(max(ratio[0] / ratio[1], 0.01), 100.0)
    return 1.0


def _letters(attributes: Attributes, frame: int) -> Letters:
    _, direction = frame_place(attributes, frame)
    if direction is not None:
        return orientation_letters(direction)
    return patient_orientation_letters(attributes.texts(_PATIENT_ORIENTATION))
