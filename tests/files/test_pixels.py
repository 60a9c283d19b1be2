"""Pixels of cameras, scanners and drawing programs are those people see."""

import numpy as np
import pytest
from PIL import Image

from keras_genai import image_dataset, load_images

COLOURS = np.array(
    [[[255, 0, 0, 255], [9, 9, 9, 0]], [[0, 0, 255, 51], [0, 255, 0, 255]]],
    "uint8",
)
ON_WHITE = [[[255, 0, 0], [255, 255, 255]], [[204, 204, 255], [0, 255, 0]]]
ON_BLACK = [[[255, 0, 0], [0, 0, 0]], [[0, 0, 51], [0, 255, 0]]]


def read(folder, **arguments):
    (image,) = load_images(folder, **arguments).images
    return image


# --- Orientation -------------------------------------------------------------

# Where the upper left pixel of two rows of three lies when it is looked at.
CORNERS = {1: (0, 0), 2: (0, 2), 3: (1, 2), 4: (1, 0)}
CORNERS |= {5: (0, 0), 6: (0, 1), 7: (2, 1), 8: (2, 0)}


@pytest.mark.parametrize("orientation, corner", CORNERS.items())
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_orientation_is_applied(tmp_path, orientation, corner, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (3, 2))
    image.putpixel((0, 0), (255, 255, 255))
    lossless = {"lossless": True} if suffix == "webp" else {}
    image.save(tmp_path / f"a.{suffix}", exif=exif, **lossless)
    pixels = read(tmp_path)
    assert pixels.shape[:2] == ((3, 2) if orientation > 4 else (2, 3))
    brightest = np.unravel_index(pixels[..., 0].argmax(), pixels.shape[:2])
    assert brightest == corner


def test_a_broken_exif_block_does_not_spoil_a_photo(tmp_path):
    image = Image.new("L", (3, 2), 200)
    image.save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert (read(tmp_path) == 200).all()


# --- Sixteen bits and floats -------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_scaled(tmp_path, name):
    levels = np.array([[0, 257 * 10], [257 * 200, 65535]], "uint16")
    Image.fromarray(levels).save(tmp_path / name)
    pixels = read(tmp_path)
    assert pixels.shape == (2, 2, 1)
    assert pixels[..., 0].tolist() == [[0, 10], [200, 255]]


def test_16_bit_pgm_and_12_bits_of_it(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 65535\n\x0a\x0a\xff\xff")
    assert read(tmp_path).ravel().tolist() == [10, 255]


@pytest.mark.parametrize("most", [255, 65535])
def test_integers_of_32_bits(tmp_path, most):
    levels = np.array([[0, most // 5, most]], "int32")
    Image.fromarray(levels).save(tmp_path / "a.tif")
    assert read(tmp_path).ravel().tolist() == [0, 51, 255]


@pytest.mark.parametrize("most", [1.0, 255.0])
def test_float_tiff_is_scaled(tmp_path, most):
    levels = np.array([[0, 0.2 * most, most]], "float32")
    Image.fromarray(levels).save(tmp_path / "a.tif")
    assert read(tmp_path).ravel().tolist() == [0, 51, 255]


@pytest.mark.parametrize("value", [np.nan, -1.0, 1000.0])
def test_floats_of_no_scale_are_refused(tmp_path, value):
    levels = np.array([[0, 0.5, value]], "float32")
    Image.fromarray(levels).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif' \(its grey levels are from"):
        load_images(tmp_path)


# --- Transparency ------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize(
    "background, expected",
    [("white", ON_WHITE), ("black", ON_BLACK), ((0, 0, 0), ON_BLACK)],
)
def test_transparency_lies_on_the_background(
    tmp_path, name, background, expected
):
    lossless = {"lossless": True} if name == "a.webp" else {}
    Image.fromarray(COLOURS).save(tmp_path / name, **lossless)
    found = read(tmp_path, background=background)
    np.testing.assert_array_equal(found, expected)
    if background == "white":
        np.testing.assert_array_equal(read(tmp_path), expected)


def test_transparent_arrays_and_data_sets(tmp_path):
    (image,) = load_images(COLOURS[None]).images
    np.testing.assert_array_equal(image, ON_WHITE)
    (batch,) = image_dataset(
        COLOURS[None], background="#000000", value_range=(0, 255)
    )
    np.testing.assert_allclose(batch[0], ON_BLACK, atol=1e-4)


def test_grey_stays_grey_on_grey(tmp_path):
    levels = np.array([[[100, 255], [100, 0]]], "uint8")
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert read(tmp_path).tolist() == [[[100], [255]]]
    assert read(tmp_path, background=(7, 7, 7)).tolist() == [[[100], [7]]]
    assert read(tmp_path, background="red").tolist() == [
        [[100, 100, 100], [255, 0, 0]]
    ]


@pytest.mark.parametrize(
    "name, transparency, first",
    [
        ("a.png", 0, [255, 255, 255]),
        ("a.gif", 0, [255, 255, 255]),
        ("a.png", bytes([51, 255]), [255, 204, 204]),
    ],
)
def test_palettes_with_transparency(tmp_path, name, transparency, first):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / name, transparency=transparency)
    assert read(tmp_path).tolist() == [[first, [0, 255, 0]]]


@pytest.mark.parametrize("mode, key", [("L", 7), ("RGB", (7, 8, 9))])
def test_one_transparent_colour(tmp_path, mode, key):
    Image.new(mode, (2, 1), key).save(tmp_path / "a.png", transparency=key)
    assert (read(tmp_path) == 255).all()


@pytest.mark.parametrize(
    "background", ["whitish", (1, 2), (0, 0, 300), 7, None, "#12"]
)
def test_what_is_no_colour_is_refused(background):
    with pytest.raises(ValueError, match=r"to be a colour: 'white'.*Received"):
        load_images(np.zeros((1, 2, 2), "uint8"), background=background)


# --- Other kinds -------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_is_shown_as_rgb(tmp_path, name):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / name)
    pixels = read(tmp_path).astype(int)
    assert np.abs(pixels - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_frame_is_taken_and_said(tmp_path, suffix, capsys):
    frames = [Image.new("L", (4, 4), level) for level in (10, 200)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "still.png")
    assert (load_images(tmp_path).images == 10).all()
    assert capsys.readouterr().out == (
        f"{tmp_path}: animations or pages, of which the first is taken: 1\n"
    )


def test_files_of_several_kinds_are_read_without_a_warning(tmp_path, recwarn):
    image = Image.new("P", (2, 2))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "a.png", transparency=bytes([51, 255]))
    Image.fromarray(COLOURS).save(tmp_path / "b.webp")
    Image.new("L", (2, 2)).save(tmp_path / "c.jpg", exif=b"Exif\0\0II*\0\xff")
    assert len(load_images(tmp_path)) == 3
    assert not recwarn.list


# --- Arrays ------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["int8", "int16", "uint16", "int32", "int64", "uint64"]
)
def test_integers_of_any_type_are_images(kind):
    most = 127 if kind == "int8" else 255
    levels = np.array([0, 5, most], kind).reshape(1, 1, 3, 1)
    found = load_images(levels)
    assert found.images.dtype == np.uint8
    assert found.images.ravel().tolist() == [0, 5, most]


def test_booleans_are_black_and_white():
    found = load_images(np.array([[[True, False]]]))
    assert found.images.ravel().tolist() == [255, 0]


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floats_of_any_type_are_images(kind):
    levels = np.arange(256).reshape(1, 16, 16)
    found = load_images((levels / 255).astype(kind))
    np.testing.assert_array_equal(found.images[..., 0], levels)


@pytest.mark.parametrize("value", [-1, 256, 65535])
def test_integers_out_of_range_are_refused(value):
    levels = np.array([0, value], "int64").reshape(1, 1, 2)
    with pytest.raises(ValueError, match=r"integers in 0\.\.255.*int64 from"):
        load_images(levels)
