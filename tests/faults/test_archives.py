"""What a file brings along is looked at before it is believed."""

import io
import json
import re
import struct
import tracemalloc
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest

import keras_genai
from keras_genai import archives

SYMLINK = 0o120777 << 16


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model = keras_genai.GAN((4, 4, 1), latent_dim=2, seed=0)
    model.compile()
    model.save(path)
    return path


def rewritten(saved, path, changes=None, extra=(), compression=0):
    """Copies an archive, with members changed, left out (`None`) or added."""
    with (
        zipfile.ZipFile(saved) as source,
        zipfile.ZipFile(path, "w", compression) as copy,
    ):
        members = {name: source.read(name) for name in source.namelist()}
        for name, content in {**members, **(changes or {})}.items():
            if content is not None:
                copy.writestr(name, content)
        for member, content in extra:
            copy.writestr(member, content)
    return path


def refused(path, reason):
    message = f"{reason}.*{re.escape(str(path))}"
    with pytest.raises(ValueError, match=message):
        keras_genai.load_model(path)


def config(saved):
    with zipfile.ZipFile(saved) as archive:
        return json.loads(archive.read("config.json"))


# --- Code --------------------------------------------------------------------


@pytest.fixture
def unsafe():
    """Switches Keras's guard against lambdas off, as a process may."""
    state = keras.src.backend.common.global_state
    before = state.get_global_attribute("safe_mode_saving")
    keras.config.enable_unsafe_deserialization()
    yield
    state.set_global_attribute("safe_mode_saving", before)


def with_lambda(path, marker):
    """A GAN with a layer that writes a file when it is called."""
    code = f"lambda x: (open({str(marker)!r}, 'a').close(), x)[1]"
    layers = [
        keras.Input((2,)),
        keras.layers.Dense(16),
        keras.layers.Lambda(eval(code), output_shape=(16,)),
        keras.layers.Reshape((4, 4, 1)),
    ]
    model = keras_genai.GAN(
        (4, 4, 1), 2, generator=keras.Sequential(layers), seed=0
    )
    model.compile()
    model.save(path)


def test_no_lambda_of_a_file_is_run(tmp_path, unsafe):
    path, marker = tmp_path / "model.keras", tmp_path / "ran"
    with_lambda(path, marker)
    marker.unlink()  # of building it here
    # Keras's own guard is off, and ours is not.
    refused(path, "cannot be rebuilt: .*lambda")
    assert not marker.exists()
    keras.saving.load_model(path)
    assert marker.exists()  # so that there was something to guard against


def test_safe_mode_cannot_be_switched_off(saved):
    with pytest.raises(TypeError, match="safe_mode"):
        keras_genai.load_model(saved, safe_mode=False)


@pytest.mark.parametrize(
    "part, reason",
    [
        ({"module": "os", "class_name": "system"}, "'system'"),
        (
            {
                "module": "builtins",
                "class_name": "function",
                "config": "eval",
                "registered_name": "eval",
            },
            "cannot be rebuilt",
        ),
        (
            {"module": "their.package", "class_name": "Layer"},
            "cannot be rebuilt: Could not locate class 'Layer'",
        ),
        (
            {"module": "keras.layers", "class_name": "TFSMLayer"},
            "cannot be rebuilt: .*TFSMLayer",
        ),
        (
            {
                "module": "keras.utils",
                "class_name": "function",
                "config": "get_file",
                "registered_name": "get_file",
            },
            "keras.utils.function, which is not a part of models",
        ),
        # Keras takes the name of a function for that of a class, too.
        (
            {"module": "keras.utils", "class_name": "plot_model"},
            "keras.utils.plot_model, which is not a part of models",
        ),
        (
            {"module": "keras.layers", "class_name": "TorchModuleWrapper"},
            "cannot be rebuilt: .*torch",
        ),
        (
            {"module": "keras.layers", "class_name": "FlaxLayer"},
            "FlaxLayer, which is not guarded",
        ),
        (
            {
                "module": "keras.layers",
                "class_name": "StringLookup",
                "config": {"vocabulary": "/etc/passwd"},
            },
            "cannot be rebuilt: .*vocabulary",
        ),
    ],
)
def test_what_is_neither_keras_nor_ours_is_refused(
    saved, tmp_path, part, reason
):
    crafted = config(saved)
    crafted["config"]["generator"] = {"config": {}, **part}
    path = tmp_path / "model.keras"
    rewritten(saved, path, {"config.json": json.dumps(crafted)})
    refused(path, reason)


def test_classes_that_this_process_knows_are_no_strangers(tmp_path):
    @keras.saving.register_keras_serializable("test_archives")
    class Registered(keras.layers.Dense):
        pass

    class Named(keras.layers.Dense):
        pass

    for kind, known in ((Registered, None), (Named, {"Named": Named})):
        layers = [keras.Input((2,)), kind(16), keras.layers.Reshape((4, 4, 1))]
        generator = keras.Sequential(layers)
        model = keras_genai.GAN((4, 4, 1), 2, generator=generator, seed=0)
        path = tmp_path / f"{kind.__name__}.keras"
        model.compile()
        model.save(path)
        loaded = keras_genai.load_model(path, custom_objects=known)
        assert type(loaded.generator.layers[0]) is kind
    refused(path, "cannot be rebuilt: Could not locate class 'Named'")


def test_a_learning_rate_is_no_download(saved, tmp_path, monkeypatch):
    """Keras makes it of whatever function of its own, and calls it."""
    crafted = config(saved)
    optimizer = crafted["compile_config"]["d_optimizer"]["config"]
    optimizer["learning_rate"] = {
        "module": "keras.datasets.cifar10",
        "class_name": "function",
        "config": "load_data",
        "registered_name": "load_data",
    }
    path = tmp_path / "model.keras"
    rewritten(saved, path, {"config.json": json.dumps(crafted)})
    refused(
        path, "keras.datasets.cifar10.function, which is not a part of models"
    )


def test_a_tokenizer_brings_no_code_along(tmp_path):
    path = tmp_path / "tokenizer.json"
    for part in (
        {"class_name": "__lambda__", "config": {"value": "what"}},
        {"class_name": "system", "module": "os", "config": {}},
    ):
        path.write_text(json.dumps(part))
        with pytest.raises(ValueError, match=re.escape(str(path))):
            keras_genai.load_tokenizer(path)
    keras_genai.BytePairTokenizer([(97, 97)]).save(path)
    config = json.loads(path.read_text())
    # Each token twice as long as the one before it.
    config["config"]["merges"] += [[256 + i, 256 + i] for i in range(60)]
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"67,108,864 bytes of tokens.*json"):
        keras_genai.load_tokenizer(path)


# --- Members -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../escaped.txt", "/tmp/escaped.txt", "assets/x", "..\\escaped"]
)
def test_members_that_do_not_belong_there(saved, tmp_path, name):
    path = tmp_path / "in" / "model.keras"
    path.parent.mkdir()
    rewritten(saved, path, extra=[(name, b"out")])
    refused(path, "only config.json")
    assert [each.name for each in tmp_path.rglob("*")] == ["in", path.name]


def test_symbolic_links_and_doubles(saved, tmp_path):
    link = zipfile.ZipInfo("model.weights.h5.link")
    link.external_attr = SYMLINK
    path = rewritten(
        saved, tmp_path / "link.keras", extra=[(link, "/etc/passwd")]
    )
    refused(path, "only config.json")
    with pytest.warns(UserWarning, match="Duplicate name"):
        rewritten(saved, path, extra=[("config.json", "{}")])
    refused(path, "only config.json")
    rewritten(saved, path, {"metadata.json": None})
    refused(path, "only config.json")


def test_a_weights_member_that_is_a_link_is_only_bytes(saved, tmp_path):
    link = zipfile.ZipInfo("model.weights.h5")
    link.external_attr = SYMLINK
    path = rewritten(
        saved,
        tmp_path / "link.keras",
        {"model.weights.h5": None},
        extra=[(link, "/etc/passwd")],
    )
    refused(path, "file signature not found")


# --- Sizes -------------------------------------------------------------------


def test_bombs(saved, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    rewritten(saved, path, compression=zipfile.ZIP_DEFLATED)
    refused(path, "is compressed")
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000)
    rewritten(
        saved,
        path,
        {"model.weights.h5": bytes(10**8)},
        compression=zipfile.ZIP_DEFLATED,
    )
    refused(path, "bytes unpacked.*not read")
    images = tmp_path / "images.npz"
    np.savez_compressed(images, images=np.zeros((10**5, 32, 32), "uint8"))
    with pytest.raises(ValueError, match=r"bytes unpacked.*images\.npz"):
        keras_genai.load_images(images)


def with_weights(saved, path, change, **options):
    """Copies a model, its HDF5 file changed by a function of it."""
    with zipfile.ZipFile(saved) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r+", **options) as file:
        change(file)
    return rewritten(saved, path, {"model.weights.h5": content.getvalue()})


def a_dataset(file):
    """The name of the smallest dataset that is an array."""
    sizes = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and item.shape:
            sizes[name] = item.size

    file.visititems(visit)
    return min(sizes, key=sizes.get)


def compressed(file):
    """The same numbers: Keras reads it."""
    name = a_dataset(file)
    numbers = file[name][:]
    del file[name]
    file.create_dataset(name, data=numbers, compression="gzip")


def bomb(file):
    file.create_dataset(
        "bomb", (2**28,), "float32", chunks=(2**26,), compression="gzip"
    )[: 2**26] = 0


def filled(file):
    """A gibibyte of which nothing is stored."""
    file.create_dataset("bomb", (2**28,), "float32", fillvalue=1.0)


def in_sum(file):
    """Each dataset is smaller than the file, all of them are not."""
    size = len(file.id.get_file_image()) // 2
    for index in range(3):
        file.create_dataset(f"part{index}", (size,), "uint8")


def strings(file):
    file["strings"] = ["a" * 1000] * 3


def large_attribute(file):
    file[a_dataset(file)].attrs["large"] = np.zeros(1000)


@pytest.mark.parametrize(
    "change, reason",
    [
        (bomb, r"would be 1,\d{3},\d{3},\d{3} bytes, of \d\d,"),
        (filled, r"would be 1,\d{3},\d{3},\d{3} bytes, of \d\d,"),
        (in_sum, "its weights would be"),
        (strings, "holds no numbers"),
        (large_attribute, "has a list, large"),
    ],
)
def test_weights_are_no_larger_than_their_file(saved, tmp_path, change, reason):
    path = with_weights(saved, tmp_path / "model.keras", change)
    tracemalloc.start()
    refused(path, reason)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**27
    # Keras has no objection: there was something to guard against.
    assert keras.saving.load_model(path)


def test_compressed_weights_that_are_there_are_read(saved, tmp_path):
    path = with_weights(saved, tmp_path / "model.keras", compressed)
    loaded, whole = map(keras_genai.load_model, (path, saved))
    for one, other in zip(loaded.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "bfloat16"])
def test_weights_of_all_precisions_are_let_through(tmp_path, policy):
    path = tmp_path / "model.keras"
    keras.config.set_dtype_policy(policy)
    try:
        model = keras_genai.VAE((4, 4, 1), 2, networks="dense", seed=0)
        model.compile()
        model.save(path)
    finally:
        keras.config.set_dtype_policy("float32")
    archives.check_keras_archive(path)


def test_an_archive_that_says_less_than_it_holds(tmp_path):
    """What is declared is all that is ever unpacked."""
    path = tmp_path / "images.npz"
    np.savez_compressed(path, images=np.zeros((10**4, 32, 32), "uint8"))
    data = bytearray(path.read_bytes())
    true = struct.pack("<L", 10**4 * 32 * 32 + 128)
    assert data.count(true) >= 1
    path.write_bytes(data.replace(true, struct.pack("<L", 2000)))
    with pytest.raises(ValueError, match=re.escape(str(path))):
        keras_genai.load_images(path)


def test_an_array_that_asks_for_more_than_there_is(tmp_path):
    path, header = tmp_path / "images.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {"descr": "|u1", "fortran_order": False, "shape": (2**40, 8, 8)},
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(64))
    with pytest.raises(ValueError, match=r"not uint8 of.*images\.npz"):
        keras_genai.load_images(path)


def test_objects_in_arrays_are_not_unpickled(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match=re.escape(str(path))):
        keras_genai.load_images(path)


def chunk(kind, content):
    checksum = struct.pack(">L", zlib.crc32(kind + content))
    return struct.pack(">L", len(content)) + kind + content + checksum


def png(width, height):
    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_absurd_pictures_are_not_decoded(tmp_path, monkeypatch, size):
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # never called
    path = tmp_path / "absurd.png"
    path.write_bytes(png(*size))
    with pytest.raises(ValueError, match=r"absurd\.png.*exceeds limit"):
        keras_genai.load_images(tmp_path)


def test_a_picture_is_no_program(tmp_path):
    """PostScript would be read by starting Ghostscript."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(ValueError, match=r"picture\.png.*cannot identify"):
        keras_genai.load_images(tmp_path)


# --- Damage ------------------------------------------------------------------


def test_no_flipped_byte_of_a_model_goes_unseen(saved, tmp_path):
    """Keras itself reads flipped weights without a word."""
    whole, path = saved.read_bytes(), tmp_path / "model.keras"
    with zipfile.ZipFile(saved) as archive:
        weights = archive.getinfo("model.weights.h5")
    # Somewhere in the last third, where the numbers are.
    place = weights.header_offset + int(0.9 * weights.file_size)
    data = bytearray(whole)
    data[place] ^= 0x40
    path.write_bytes(data)
    refused(path, "CRC-32 for file 'model.weights.h5'")


def test_a_file_of_a_network_alone_is_refused(tmp_path):
    path = tmp_path / "network.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(path)
    refused(path, "a model of keras_genai")
