"""QR images are read back by a decoder that is not ours, at the size at which they are shown."""

import re

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from parkflow import core, qr
from parkflow.settings import Settings
from tests.unit.gate_sim.signed import NOW_S, phone_with_credential

Image = NDArray[np.uint8]
CODES = [phone_with_credential(f"driver {number}")[0].code_at(NOW_S) for number in range(20)]
ROOT_SECRET = bytes(range(32))


def lot_qr(number: int) -> str:
    fields = core.LotQrFields(
        operator_id=number * 2**50, lot_id=number * 2**40, lane_id=number, purpose="prepay", issued_at_s=NOW_S
    )
    return Settings().lot_qr_base_url + core.sign_lot_qr(ROOT_SECRET, fields)


SIGNS = [lot_qr(number) for number in range(1, 6)]


def pixels_of(png: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return image.astype(np.uint8)


def read(image: Image) -> str:
    text, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(image)
    return text


def drawn(svg: str, pixels_a_module: int) -> Image:
    """What a printer makes of the rectangles of an SVG document."""
    side = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    assert side is not None
    image = np.full((int(side[1]), int(side[1])), 255, np.uint8)
    for column, row, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", svg):
        image[int(row), int(column) : int(column) + int(length)] = 0
    return np.kron(image, np.ones((pixels_a_module, pixels_a_module), np.uint8)).astype(np.uint8)


def test_a_code_is_read_back_at_200_pixels() -> None:
    images = [pixels_of(qr.code_png(code)) for code in CODES]
    assert {image.shape for image in images} == {(200, 200)}
    assert [read(image) for image in images] == CODES


def test_a_code_is_read_back_from_its_svg() -> None:
    assert [read(drawn(qr.code_svg(code), 4)) for code in CODES] == CODES


@pytest.mark.parametrize("pixels", [300, 1_000])
def test_a_lot_qr_is_read_back_at_the_size_of_a_sticker_and_of_a_sign(pixels: int) -> None:
    assert [read(pixels_of(qr.lot_qr_png(sign, pixels))) for sign in SIGNS] == SIGNS


def test_a_lot_qr_is_read_back_from_its_svg() -> None:
    assert [read(drawn(qr.lot_qr_svg(sign), 8)) for sign in SIGNS] == SIGNS


def test_a_torn_lot_qr_is_still_read() -> None:
    image = pixels_of(qr.lot_qr_png(SIGNS[0], 1_000))
    # A tenth of the symbol's area, away from the three corners by which a reader finds it.
    image[420:680, 420:680] = 255
    assert read(image) == SIGNS[0]


def test_all_codes_have_one_size_with_a_quiet_zone_of_4_modules() -> None:
    for code in CODES:
        image = drawn(qr.code_svg(code), 1)
        assert image.shape == (57 + 8, 57 + 8)
        dark = np.argwhere(image == 0)
        assert (dark.min(axis=0).tolist(), dark.max(axis=0).tolist()) == ([4, 4], [60, 60])


@pytest.mark.parametrize("pixels", [195, 196, 200, 259, 260, 1_001, 4_000])
def test_a_png_has_exactly_the_pixels_asked_whole_modules_and_stands_in_the_middle(pixels: int) -> None:
    image = pixels_of(qr.code_png(CODES[0], pixels))
    assert image.shape == (pixels, pixels)
    assert set(np.unique(image).tolist()) == {0, 255}
    scale = pixels // 65
    before = (pixels - 57 * scale) // 2
    symbol = image[before : before + 57 * scale, before : before + 57 * scale]
    assert np.array_equal(symbol, drawn(qr.code_svg(CODES[0]), scale)[4 * scale : -4 * scale, 4 * scale : -4 * scale])
    assert (image == 0).sum() == (symbol == 0).sum()
    assert 4 * scale <= before <= pixels - 57 * scale - before <= before + 1


@pytest.mark.parametrize("pixels", [-1, 0, 194, 4_001, 10**9])
def test_modules_under_3_pixels_and_huge_images_are_refused_by_the_sizes_that_are_allowed(pixels: int) -> None:
    with pytest.raises(qr.QrPixelsRefused, match="195 to 4000 pixels"):
        qr.code_png(CODES[0], pixels)


@pytest.mark.parametrize("text", ["", "pf1:", "PF1:\n", "PF1:ü", CODES[0].lower()])
def test_what_is_not_alphanumeric_is_refused(text: str) -> None:
    for draw in (qr.code_svg, qr.code_png, qr.lot_qr_svg):
        with pytest.raises(qr.QrTextRefused):
            draw(text)


def test_what_does_not_fit_into_the_one_size_of_codes_is_refused() -> None:
    assert read(pixels_of(qr.code_png("A" * 311))) == "A" * 311
    with pytest.raises(qr.QrTextRefused, match="312 characters"):
        qr.code_png("A" * 312)
    with pytest.raises(qr.QrTextRefused):
        qr.lot_qr_svg("A" * 10_000)


@pytest.mark.parametrize(("length", "modules"), [(174, 53), (189, 53), (221, 57), (222, 53), (262, 53), (263, 57)])
def test_a_lot_qr_has_level_q_up_to_version_10_and_m_beyond(length: int, modules: int) -> None:
    assert drawn(qr.lot_qr_svg("A" * length), 1).shape == (modules + 8, modules + 8)


def test_the_same_text_gives_the_same_bytes() -> None:
    assert qr.code_png(CODES[0]) == qr.code_png(CODES[0])
    assert qr.code_png(CODES[0]) != qr.code_png(CODES[1])
