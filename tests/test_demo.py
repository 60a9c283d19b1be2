"""The demo: what exports are asked for, what is refused, the HTTP API."""

import asyncio
import collections
import concurrent.futures
import contextlib
import io
import itertools
import json
import os
import re
import shlex
import shutil
import socket
import struct
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
import tensorflow as tf
from demo_exports import (
    CLASSES,
    GRADIO_WARNS,
    LIMIT,
    SHAPE,
    a_drawing,
    loops_left_open,
    serving,
    unending,
    without_about,
    write_exports,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_genai.cli import main
from keras_genai.data.music import read_midi
from keras_genai.data.pictures import decode
from keras_genai.demo import blocks, build_page, calls
from keras_genai.demo.calls import MAX_WAITING
from keras_genai.demo.checks import check_integer, check_number, check_text
from keras_genai.demo.drawing import (
    MAX_PIXELS,
    centre_drawing,
    fit_picture,
    read_picture,
)
from keras_genai.demo.gate import Gate
from keras_genai.demo.served import MAX_SEED, load
from keras_genai.modalities.images.latents import LatentSpace, find_directions
from keras_genai.modalities.text.served import MAX_NEW_TOKENS, MAX_PROMPT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo"), GRADIO_WARNS]

# Whatever JSON can hold, and Python's JSON besides: NaN and infinities.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)
FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return write_exports(tmp_path_factory.getbasetemp() / "demo_exports")


@pytest.fixture(scope="module")
def models(exports):
    return {name: load(path) for name, path in exports.items()}


# --- What is taken -----------------------------------------------------------


@FEW
@given(JSON)
def test_checks_take_what_they_say_and_refuse_the_rest(value):
    try:
        taken = check_integer("n", value, 1, 9)
        assert type(taken) is int and 1 <= taken <= 9 and taken == value
    except ValueError as error:
        assert len(str(error)) < 300
    try:
        taken = check_number("x", value, 0, 1)
        assert type(taken) is float and 0 <= taken <= 1
    except ValueError as error:
        assert len(str(error)) < 300
    try:
        assert 1 <= len(check_text("t", value, 20).encode()) <= 80
    except ValueError as error:
        assert len(str(error)) < 300


@pytest.mark.parametrize(
    "value", [True, "3", None, [3], float("nan"), 2.5, 0, 10, 10**400, -1e308]
)
def test_integers_are_integers_in_range(value):
    with pytest.raises(ValueError, match=r"from 1 to 9. Received: n="):
        check_integer("n", value, 1, 9)


def test_texts_are_utf_8_and_bounded():
    with pytest.raises(ValueError, match="of 1 to 5 characters"):
        check_text("t", "\ud83d", 5)
    with pytest.raises(ValueError, match="1000000 characters"):
        check_text("t", "a" * 10**6, 5)


# --- Exports -----------------------------------------------------------------


def test_a_served_model_makes_what_its_signature_makes(exports, models):
    served = tf.saved_model.load(str(exports["vae"])).signatures["generate"]
    images = served(num_samples=tf.constant(3), seed=tf.constant(5))["images"]
    np.testing.assert_array_equal(models["vae"].generate(3, 5), images)
    codes = models["vae"].codes(3, 5)  # those of the same images
    np.testing.assert_allclose(models["vae"].decode(codes), images, atol=1e-6)


def test_an_export_that_says_nothing_of_itself_works(exports, tmp_path):
    vae = load(without_about(exports["vae"], tmp_path))
    assert (vae.makes, vae.family) == ("images", "SavedModel")
    assert vae.image_shape == SHAPE and vae.has("decode")
    assert vae.generate(2, 0).shape == (2, *SHAPE)
    gan = load(without_about(exports["conditional_gan"], tmp_path))
    assert not gan.has("decode")  # how many labels are there?
    with pytest.raises(ValueError, match="takes no labels"):
        gan.generate(2, 0, label=1)
    gpt = load(without_about(exports["gpt"], tmp_path))
    assert gpt.makes == "text"
    *_, text = gpt.stream("the ", 40, seed=1)
    assert len(text) == 44
    music = load(without_about(exports["music"], tmp_path))
    assert music.makes == "music" and music.num_voices == 2


def test_labels_are_those_of_the_model(models):
    gan = models["conditional_gan"]
    space = LatentSpace(gan)
    twos = gan.generate(4, 0, label=2)
    assert (twos != gan.generate(4, 0, label=1)).any()
    for label in (CLASSES, -1, "2", None, [2]):
        if label is not None:
            with pytest.raises(ValueError, match="`label`"):
                gan.generate(4, 0, label=label)
        with pytest.raises(ValueError, match="`label`"):
            space.walk(0, np.zeros(5), label)


def test_what_is_no_export_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a run that has ended"):
        load(tmp_path)
    with pytest.raises(ValueError, match="paths="):
        build_page([])
    adder = tf.Module()
    adder.add = tf.function(
        lambda x: {"y": x + 1}, input_signature=[tf.TensorSpec((), "int32")]
    )
    tf.saved_model.save(adder, tmp_path / "adder", signatures=adder.add)
    with pytest.raises(ValueError, match="a signature `generate`"):
        load(tmp_path / "adder")


@FEW
@given(st.sampled_from(["num_samples", "seed", "label"]), JSON)
def test_images_or_a_refusal(models, name, value):
    inputs = {"num_samples": 2, "seed": 0, "label": 1, name: value}
    try:
        images = models["conditional_gan"].generate(**inputs)
        assert images.shape == (inputs["num_samples"], *SHAPE)
    except ValueError as error:
        assert name in str(error)


@FEW
@given(
    st.sampled_from(
        ["prompt", "max_new_tokens", "temperature", "top_k", "top_p", "seed"]
    ),
    JSON,
)
def test_text_or_a_refusal(models, name, value):
    inputs = {"prompt": "the", "max_new_tokens": 3, name: value}
    try:
        *_, text = models["gpt"].stream(**inputs)
        assert text.startswith(inputs["prompt"])
    except ValueError as error:
        assert name in str(error)


@FEW
@given(JSON)
def test_music_or_a_refusal(models, value):
    try:
        assert models["music"].compose(value)[:4] == b"MThd"
    except ValueError as error:
        assert "num_steps" in str(error)


def test_greatest_numbers_run(models):
    *_, text = models["gpt"].stream("the", 5, 10, 1_000_000, 1, MAX_SEED)
    assert len(text) == 8
    *_, text = models["gpt"].stream("a" * MAX_PROMPT, 40, 0, 1, 0.01)
    assert len(text) == MAX_PROMPT + 40


# --- Text --------------------------------------------------------------------


def test_streamed_text_is_the_one_of_one_go_up_to_the_limit(models):
    gpt = models["gpt"]
    seed = unending(gpt, 60)
    streamed = list(gpt.stream("the ", 60, seed=seed))
    assert all(b.startswith(a) for a, b in itertools.pairwise(streamed))
    assert [len(text) for text in streamed] == [4, 20, 24, 36, 48, 60, 64]
    whole = gpt.ask(
        "generate",
        prompt=["the "],
        max_new_tokens=LIMIT - 4,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        seed=seed,
    )["text"][0].decode()
    assert streamed[-1].startswith(whole) and len(whole) == LIMIT
    assert list(gpt.stream("the ", 60, seed=seed)) == streamed
    assert list(gpt.stream("the ", 60, seed=seed + 1)) != streamed


def test_text_past_the_limit_does_not_repeat_its_draws(models):
    # All tokens are about equally likely here: equal pieces are equal draws.
    seed = unending(models["gpt"], 96)
    *_, text = models["gpt"].stream("the ", 96, seed=seed)
    pieces = [text[start : start + 12] for start in range(4, 100, 12)]
    assert len(set(pieces)) == len(pieces)


def test_unknown_characters_and_long_prompts_are_gone_on_from(models):
    prompt = "☃ the é" * 20
    *_, text = models["gpt"].stream(prompt, 5)
    assert text.startswith(prompt) and len(text) == len(prompt) + 5


def test_scores_are_bits_and_short_texts_are_refused(models):
    assert 6 < models["gpt"].score("the cat sat.") < 7.5
    with pytest.raises(ValueError, match="two tokens or more"):
        models["gpt"].score("t")


# --- Latent directions -------------------------------------------------------


def test_directions_are_those_of_a_known_decoder():
    random = np.random.default_rng(0)
    codes = random.normal(size=(512, 6))
    known, _ = np.linalg.qr(random.normal(size=(6, 6)))
    strength = np.array([8.0, 4.0, 2.0, 0.1, 0.1, 0.1])
    pixels, _ = np.linalg.qr(random.normal(size=(40, 6)))
    images = codes @ known * strength @ pixels.T
    directions = find_directions(codes, images, 3)
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-9)
    likeness = np.abs(directions @ known)
    np.testing.assert_allclose(likeness[:, :3], np.eye(3), atol=0.2)
    assert find_directions(codes[:, :2], images, 5).shape == (2, 2)


@pytest.mark.parametrize("name", ["vae", "denoiser"])
def test_a_walk_begins_at_the_sample_and_moves(models, name):
    model = models[name]
    space = LatentSpace(model)
    (sample,) = model.generate(1, 7)
    here = space.walk(7, np.zeros(5))
    # An autoencoder's sample goes through its code.
    if model.codes_are_normal:
        np.testing.assert_allclose(here, sample, atol=1e-5)
    moved = space.walk(7, [2.0, 0, 0, 0, 0])
    assert np.abs(moved - here).max() > 1e-3
    way = space.between(7, 8, 4)
    assert way.shape == (4, *SHAPE)
    np.testing.assert_allclose(way[0], here, atol=1e-5)
    np.testing.assert_allclose(way[-1], space.walk(8, np.zeros(5)), atol=1e-5)


# --- Drawings ----------------------------------------------------------------


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    return file.getvalue()


def bomb(width, height):
    """A PNG of few bytes that says it is of that size."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_a_drawing_is_centred_as_mnist_digits_are():
    image = fit_picture(a_drawing(), (28, 28, 1))[..., 0]
    rows, columns = np.nonzero(image > 0.1)
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(sides) == 20 and image.max() > 0.9
    middle = [
        (image.sum(axis=1 - axis) * (np.arange(28) + 0.5)).sum() / image.sum()
        for axis in (0, 1)
    ]
    np.testing.assert_allclose(middle, 14, atol=0.51)
    moved = np.roll(a_drawing(), (-30, 35), axis=(0, 1))
    np.testing.assert_array_equal(
        fit_picture(moved, (28, 28, 1))[..., 0], image
    )


def test_photos_keep_their_middle_and_their_colours():
    picture = np.zeros((30, 90, 3), "uint8")
    picture[:, 30:60] = (255, 128, 0)
    image = fit_picture(picture, (10, 10, 3))
    expected = np.broadcast_to(np.array([255, 128, 0]) / 255, (10, 10, 3))
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match="an empty sheet"):
        centre_drawing(np.zeros((5, 5)), 28, 28)


def test_transparent_is_white():
    picture = np.zeros((4, 4, 4), "uint8")
    assert (read_picture(io.BytesIO(png(picture))) == 255).all()


@pytest.mark.parametrize(
    "size", [(60_000, 60_000), (2_049, 2_048), (2**31 - 1, 1), (12_000, 8_000)]
)
def test_absurd_sizes_are_refused_before_anything_is_decoded(size, monkeypatch):
    def decode(*arguments):
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with pytest.raises(ValueError, match=f"of at most {MAX_PIXELS} pixels"):
        read_picture(io.BytesIO(bomb(*size)))


def declaring(content, length):
    """A PNG that declares other lengths of its pixels than it has."""
    place = content.index(b"IDAT")
    return content[: place - 4] + struct.pack(">I", length) + content[place:]


@pytest.mark.parametrize(
    "read", [read_picture, lambda path: decode(path, (0, 0, 0))]
)
def test_no_more_is_set_aside_than_a_file_has(read, tmp_path):
    path = tmp_path / "drawing.png"
    path.write_bytes(declaring(png(a_drawing()), 2**31 - 1))
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError, OSError):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@FEW
@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_broken_pictures_are_refused(noise, place, real):
    data = bytearray(png(a_drawing()) if real else b"\x89PNG\r\n\x1a\n")
    data[place : place + len(noise)] = noise
    try:
        assert read_picture(io.BytesIO(bytes(data))).shape[-1] == 3
    except ValueError as error:
        assert "Expected a" in str(error)


# --- The server --------------------------------------------------------------


@pytest.fixture(scope="module")
def hosts():
    """The hosts that anything in this process has looked up."""
    asked = set()
    look_up = socket.getaddrinfo

    def watched(host, *arguments, **options):
        asked.add(host)
        return look_up(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", watched)
        yield asked


SERVED = ("vae", "conditional_gan", "pixelcnn", "gpt")


@pytest.fixture(scope="module")
def server(exports, hosts):
    with (
        serving([exports[name] for name in SERVED]) as address,
        httpx.Client(base_url=f"{address}gradio_api", timeout=30) as client,
    ):
        yield client


def call(client, name, data):
    """What the HTTP API says at last: the kind of event, and its data."""
    body = json.dumps({"data": data})  # with NaN, which JSON has not
    headers = {"content-type": "application/json"}
    answer = client.post(f"/call/{name}", content=body, headers=headers)
    if answer.status_code != 200:
        assert answer.status_code < 500, answer.text
        return "refused", answer.text
    events = client.get(f"/call/{name}/{answer.json()['event_id']}").text
    kind, data = re.findall(r"event: (\w+)\ndata: (.*)", events)[-1]
    return kind, json.loads(data)


def downloaded(client, file):
    answer = client.get(file["url"])
    assert answer.status_code == 200
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def uploaded(client, data, name="drawing.png"):
    answer = client.post("/upload", files={"files": (name, data)})
    (path,) = answer.json()
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return {"background": None, "layers": [], "composite": file}


def test_the_api_makes_images(server, models):
    kind, (gallery,) = call(server, "vae_generate", [3, 5])
    assert kind == "complete" and len(gallery) == 3
    picture = downloaded(server, gallery[1]["image"])
    expected = models["vae"].generate(3, 5)[1, ..., 0]
    np.testing.assert_allclose(
        picture[::14, ::14, 0] / 255, expected, atol=2 / 255
    )


def test_a_page_that_closes_leaves_the_pictures_of_others(server, exports):
    _, (gallery,) = call(server, "vae_generate", [3, 5])
    with (
        serving([exports["vae"]]) as address,
        httpx.Client(base_url=f"{address}gradio_api", timeout=30) as other,
    ):
        _, (same,) = call(other, "generate", [3, 5])
        pictures = downloaded(other, same[1]["image"])
    np.testing.assert_array_equal(
        downloaded(server, gallery[1]["image"]), pictures
    )


def test_the_api_walks_and_interpolates(server):
    _, (here,) = call(server, "vae_walk", [0, 0, 0, 0, 0, 0])
    _, (there,) = call(server, "vae_walk", [0, 3, -3, 3, -3, 3])
    here, there = downloaded(server, here), downloaded(server, there)
    assert (here != there).any()
    kind, (strip, moving) = call(
        server, "conditional_gan_interpolate", [0, 1, 2]
    )
    assert kind == "complete"
    assert downloaded(server, strip).shape[1] > 10 * SHAPE[1]
    gif = Image.open(io.BytesIO(server.get(moving["url"]).content))
    assert gif.n_frames > 1


def test_the_api_reconstructs_and_completes_a_drawing(server):
    drawing = uploaded(server, png(a_drawing()))
    kind, made = call(server, "vae_reconstruct", [drawing, 0.2, 0])
    assert kind == "complete"
    *pictures, code = made
    drawn, noisy, again = (downloaded(server, each) for each in pictures)
    assert drawn.max() > 200 and (drawn != noisy).any()
    assert again.shape == drawn.shape and len(code.split()) == 5
    kind, (strip,) = call(server, "pixelcnn_complete", [drawing, 0, 2])
    assert kind == "complete" and downloaded(server, strip).max() == 255
    kind, _ = call(server, "pixelcnn_complete", [None, 0, 2])
    assert kind == "complete"  # of a sample


def test_the_api_goes_on_and_scores(server, models):
    *_, text = models["gpt"].stream("the ", 30, seed=2)
    answer = call(server, "gpt_generate", ["the ", 30, 1, 0, 1, 2])
    assert answer == ("complete", [text])
    _, (bits,) = call(server, "gpt_score", ["the cat"])
    assert float(bits) == pytest.approx(
        models["gpt"].score("the cat"), abs=1e-3
    )


def test_what_is_refused_is_told_in_a_sentence(server):
    for name, data, message in [
        ("vae_generate", [65, 0], "`num_samples`: an integer from 1 to 64"),
        ("vae_generate", ["many", 0], "num_samples='many'"),
        ("vae_walk", [0, float("nan"), 0, 0, 0, 0], "`direction 1`: a number"),
        ("vae_reconstruct", [None, 0, 0], "an empty sheet"),
        ("conditional_gan_generate", [1, 0, 3], "`label`: an integer from 0"),
        ("gpt_generate", ["a" * 2001, 5, 1, 0, 1, 0], "2001 characters"),
        (
            "gpt_generate",
            ["a", MAX_NEW_TOKENS + 1, 1, 0, 1, 0],
            "`max_new_tokens`",
        ),
        ("gpt_generate", ["a", 5, [1], 0, 1, 0], "temperature=[1]"),
    ]:
        kind, answer = call(server, name, data)
        assert kind == "error" and message in answer["error"], (name, answer)


def test_pictures_come_from_uploads_alone_and_are_bounded(server, hosts):
    def ask(drawing):
        kind, answer = call(server, "vae_reconstruct", [drawing, 0, 0])
        assert kind == "error"
        return answer["error"]

    elsewhere = uploaded(server, b"")
    elsewhere["composite"]["path"] = "http://example.com/seven.png"
    assert "none is fetched" in ask(elsewhere)
    assert "example.com" not in hosts
    elsewhere["composite"]["path"] = str(Path(__file__).resolve())
    assert "of an uploaded file" in ask(elsewhere)
    assert f"at most {MAX_PIXELS}" in ask(uploaded(server, bomb(9000, 9000)))
    assert "PNG, JPEG or WebP" in ask(uploaded(server, b"MThd"))


def test_requests_are_bounded(server):
    answer = server.post(
        "/upload", files={"files": ("a.png", bytes(7 * 2**20))}
    )
    assert answer.status_code == 413

    def endless():
        for _ in range(8):
            yield bytes(2**20)

    try:
        answer = server.post("/call/vae_generate", content=endless())
        assert 400 <= answer.status_code < 500
    except httpx.TransportError:
        pass  # it hung up
    assert call(server, "vae_generate", [1, 0])[0] == "complete"


def test_the_queue_is_the_only_way_in(server):
    answer = server.post("/run/vae_generate", json={"data": [1, 0]})
    assert answer.status_code == 404


# What a browser sends of a sheet, with anything in its places.
FILE = st.fixed_dictionaries(
    {},
    optional={
        "path": JSON | st.sampled_from(["/etc/passwd", "..", ""]),
        "url": JSON | st.sampled_from(["http://example.com/a.png"]),
        "meta": JSON | st.just({"_type": "gradio.FileData"}),
        "size": JSON,
    },
)
DRAWING = st.fixed_dictionaries(
    {},
    optional={
        "background": JSON | FILE,
        "layers": JSON | st.lists(FILE, max_size=2),
        "composite": JSON | FILE,
        "id": JSON,
    },
)
LARGE = st.sampled_from([10**400, -(2**63), 2**31, 1e308])
STRANGE = JSON | DRAWING | LARGE | st.integers(0, 5)


def requests(parameters):
    """Requests of an endpoint: mostly right, all but two inputs at most."""

    @st.composite
    def inputs(draw):
        right = [each.get("parameter_default") for each in parameters]
        # Few images and few tokens.
        right = [min(each, 6) if type(each) is int else each for each in right]
        places = st.integers(0, len(right) - 1)
        for place in draw(st.lists(places, max_size=2)):
            right[place] = draw(STRANGE)
        return right

    any_inputs = st.lists(STRANGE, max_size=len(parameters) + 1)
    return st.one_of(inputs(), inputs(), any_inputs)


def test_any_json_is_answered_and_the_server_lives_on(server):
    endpoints = server.get("/info").json()["named_endpoints"]
    assert "/gpt_generate" in endpoints and len(endpoints) == 11
    asked = st.one_of(
        st.tuples(st.just(name.strip("/")), requests(endpoint["parameters"]))
        for name, endpoint in endpoints.items()
    )
    answers = collections.Counter()

    def answer(request):
        kind, said = call(server, *request)
        if kind == "error":
            assert said["error"], request
            assert "Traceback" not in said["error"], request
            assert "log has the reason" not in said["error"], request
        answers[kind] += 1

    with concurrent.futures.ThreadPoolExecutor(8) as clients:

        @settings(FEW, max_examples=20)
        @given(st.lists(asked, min_size=8, max_size=8))
        def ask(several):
            list(clients.map(answer, several))

        ask()
    assert min(answers["complete"], answers["error"]) > 40
    assert call(server, "vae_generate", [1, 0])[0] == "complete"


# --- Attacks -----------------------------------------------------------------


def file_data(number, **more):
    """File data of an address whose look-up would be seen."""
    address = f"http://number-{number}.example.com/a.png"
    return {"path": address, "meta": {"_type": "gradio.FileData"}, **more}


WHERE = {
    "itself": lambda file: file,
    "in a list": lambda file: [[file]],
    "in an object": lambda file: {"a": {"b": file}},
    "as url": lambda file: {**file, "url": file["path"], "path": "a.png"},
    "as a stream": lambda file: {**file, "is_stream": True},
    "as a drawing": lambda file: {"composite": file, "layers": [file]},
    "below a drawing": lambda file: {"background": file, "composite": None},
}


@pytest.mark.parametrize("where", WHERE)
def test_no_input_is_an_address(server, hosts, where):
    file = WHERE[where](file_data(list(WHERE).index(where)))
    for name, data in [
        ("vae_generate", [file, 0]),  # a slider
        ("vae_generate", [1, file]),  # a number
        ("conditional_gan_generate", [1, 0, file]),  # a list of choices
        ("gpt_score", [file]),  # a text
        ("vae_reconstruct", [file, 0, 0]),  # a sheet
    ]:
        kind, said = call(server, name, data)
        assert kind == "error" and "Expected" in said["error"], (name, said)
    assert not [host for host in hosts if "example.com" in str(host)]


def test_no_way_in_resolves_an_address(server, hosts):
    file = file_data("way")
    page = server.get(
        str(server.base_url).removesuffix("gradio_api/") + "config"
    )
    (index,) = (
        each["id"]
        for each in page.json()["dependencies"]
        if each["api_name"] == "gpt_score"
    )
    body = {"fn_index": index, "session_hash": "s", "event_data": file}
    answer = server.post("/queue/join", json={"data": [file], **body})
    assert answer.status_code == 200
    stream = server.get("/queue/data", params={"session_hash": "s"}).text
    assert "Expected `text`" in stream and "process_completed" in stream
    answer = server.post("/call/v2/gpt_score", json={"text": file})
    event = answer.json()["event_id"]
    assert "Expected `text`" in server.get(f"/call/gpt_score/{event}").text
    for way in ("run", "api"):
        for name in ("predict", "gpt_score"):
            answer = server.post(
                f"/{way}/{name}", json={"data": [file], **body}
            )
            assert answer.status_code == 404
    for path in (
        f"/file={file['path']}",
        f"/file/{file['path']}",
        f"/proxy={file['path']}",
        "/proxy=https://number-1.hf.space/",
        "/file=/etc/passwd",
        f"/file={Path(__file__).resolve()}",
        "/deep_link?session_hash=s",
        "/stream/s/0/1/playlist.m3u8",
        "/runs",
    ):
        assert server.get(path).status_code == 404, path
    assert not [h for h in hosts if h and ("example" in h or "hf.space" in h)]


def test_a_drawing_comes_from_the_folder_of_the_page(server):
    drawing = uploaded(server, png(a_drawing()))
    path = Path(drawing["composite"]["path"])
    other = path.parents[2] / "drawing.png"
    for wrong in (
        *(
            "..",
            "",
            ".",
            str(path.parent),
            "a\0b",
            "a" * 5000,
            3,
            None,
            [path.name],
        ),
        *("/dev/stdin", f"{path}/../../../{other.name}", str(other)),
    ):
        drawing["composite"]["path"] = wrong
        kind, said = call(server, "vae_reconstruct", [drawing, 0, 0])
        assert kind == "error" and "of an uploaded file" in said["error"], wrong
    for wrong in (3, "a.png", [drawing], {"composite": "a.png"}, {"id": [1]}):
        kind, said = call(server, "vae_reconstruct", [wrong, 0, 0])
        assert kind == "error" and "Expected" in said["error"], wrong


def test_another_host_or_origin_is_refused(server):
    port = server.base_url.port
    own = f"127.0.0.1:{port}"
    for host, origin, status in [
        (own, None, 200),
        (own, f"http://{own}", 200),
        (f"localhost:{port}", f"http://localhost:{port}", 200),
        (f"[::1]:{port}", None, 200),
        ("evil.example", None, 421),
        ("evil.example", "http://evil.example", 421),
        (f"127.0.0.1.evil.example:{port}", None, 421),
        ("localhost.evil.example", None, 421),
        ("0.0.0.0", None, 421),
        ("[::1", None, 421),
        ("", None, 421),
        (own, "http://evil.example", 403),
        (own, "null", 403),
        (own, f"http://127.0.0.1:{port + 1}", 403),
        (f"localhost:{port}", f"http://{own}", 403),
    ]:
        headers = {"host": host} | ({"origin": origin} if origin else {})
        for answer in (
            server.get("/info", headers=headers),
            server.post("/reset", json={"event_id": "a"}, headers=headers),
        ):
            assert answer.status_code == status, (host, origin)
            assert not [n for n in answer.headers if "access-control" in n]
    asked = {
        "origin": "http://a.example",
        "access-control-request-method": "POST",
    }
    answer = server.options("/call/vae_generate", headers=asked)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


JSON_TYPE = {"content-type": "application/json"}
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
MALFORMED = [
    ("/call/vae_generate", {"content": b"{", "headers": JSON_TYPE}),
    ("/call/vae_generate", {"content": b"\xff", "headers": JSON_TYPE}),
    (
        "/call/vae_generate",
        {"content": b"[" * 10**5, "headers": JSON_TYPE},
    ),
    ("/call/vae_generate", {"json": {"data": 5}}),
    ("/call/vae_generate", {"json": [1]}),
    ("/call/nobody", {"json": {"data": []}}),
    ("/call/v2/vae_generate", {"json": {"no": 1}}),
    ("/call/v2/nobody", {"json": {}}),
    ("/queue/join", {"json": {"data": []}}),
    ("/queue/join", {"json": {"data": [], "session_hash": "a"}}),
    (
        "/queue/join",
        {"json": {"data": [], "session_hash": "a", "fn_index": -1}},
    ),
    (
        "/queue/join",
        {"json": {"data": [], "session_hash": "a", "fn_index": "x"}},
    ),
    ("/cancel", {"json": {}}),
    ("/reset", {"json": {"event_id": 3}}),
    ("/component_server", {"json": [1]}),
    (
        "/component_server",
        {
            "json": {
                "data": 1,
                "component_id": 10**6,
                "session_hash": "a",
                "fn_name": "accept_blobs",
            }
        },
    ),
    ("/component_server", {"files": {"file": ("a", b"1")}, "data": {"a": "b"}}),
    ("/upload", {"json": {}}),
    ("/upload", {"content": b"abc", "headers": MULTIPART}),
    ("/upload", {"files": {"other": ("a", b"1")}, "data": {"files": "a"}}),
]


def test_what_is_malformed_is_answered_in_a_sentence(server):
    for path, request in MALFORMED:
        answer = server.post(path, **request)
        assert 400 <= answer.status_code < 500, (path, request)
        assert answer.json() == {
            "detail": "Expected a request as /gradio_api/info describes it."
        }, (path, request)
    for name, data in [
        ("vae_generate", [1]),
        ("vae_generate", [1, 0, 2]),
        ("vae_reconstruct", ["a", 0, 0]),
        ("vae_reconstruct", [{"composite": 5}, 0, 0]),
    ]:
        kind, said = call(server, name, data)
        assert kind == "error" and said["error"].startswith("Expected")
        for told in (str(Path.cwd()), "0x", "pydantic", "gradio.", "/tmp"):
            assert told not in json.dumps(said)
    for path in (
        "/call/vae_generate/nobody",
        "/queue/data?session_hash=nobody",
    ):
        assert "404" in server.get(path).text  # to its end


def test_calls_that_nobody_follows_never_run(server, models, monkeypatch):
    slow = {"data": ["the ", MAX_NEW_TOKENS, 1, 0, 1, 0]}
    left = [
        server.post("/call/gpt_generate", json=slow)
        for _ in range(MAX_WAITING + 8)
    ]
    assert {answer.status_code for answer in left} == {200}
    *_, text = models["gpt"].stream("the ", 3)
    assert call(server, "gpt_generate", ["the ", 3, 1, 0, 1, 0]) == (
        "complete",
        [text],
    )
    monkeypatch.setattr(calls, "PATIENCE", 0.0)
    time.sleep(0.1)
    for answer in (left[0], left[-1]):
        event = answer.json()["event_id"]
        said = server.get(f"/call/gpt_generate/{event}").text
        assert "event: error" in said and "the call was dropped" in said


def test_a_model_whose_queue_is_full_leaves_the_others_alone(
    server, monkeypatch
):
    get_events = calls.Calls.get_events

    def all_but_text(self):
        queues = self.event_queue_per_concurrency_id
        self.event_queue_per_concurrency_id = {
            name: queue for name, queue in queues.items() if name != "gpt"
        }
        try:
            return get_events(self)
        finally:
            self.event_queue_per_concurrency_id = queues

    assert call(server, "gpt_score", ["the cat"])[0] == "complete"
    monkeypatch.setattr(calls.Calls, "get_events", all_but_text)
    monkeypatch.setattr(calls.Calls, "_is_followed", lambda self, event: True)
    monkeypatch.setattr(calls, "MAX_WAITING", 2)
    make = {"data": ["the cat"]}
    answers = [server.post("/call/gpt_score", json=make) for _ in range(4)]
    codes = [answer.status_code for answer in answers]
    assert codes == [200, 200, 503, 503]
    assert "try again later" in answers[-1].json()["detail"]
    assert call(server, "vae_generate", [1, 0])[0] == "complete"


def test_what_is_uploaded_is_bounded(server, monkeypatch):
    first = uploaded(server, png(a_drawing()))
    folder = Path(first["composite"]["path"]).parents[1]
    monkeypatch.setattr(blocks, "MAX_KEPT_FILES", 5)
    made = [
        uploaded(server, b"%d" % number)["composite"]["path"]
        for number in range(8)
    ]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 6  # the newest was not there when room was made
    assert not Path(made[0]).parent.exists() and Path(made[-1]).exists()
    drawing = uploaded(server, png(a_drawing(260)))
    assert call(server, "vae_reconstruct", [drawing, 0, 0])[0] == "complete"


def test_what_a_page_needs_stays_when_room_is_made(tmp_path):
    for age, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(bytes(10))
        os.utime(tmp_path / name / "f", (age, age))
    blocks.make_room(tmp_path, 25, 9, kept=[str(tmp_path / "a" / "f")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d"]
    blocks.make_room(tmp_path, 25, 1, kept=[str(tmp_path / "a" / "f")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    blocks.make_room(tmp_path / "gone", 25, 1)


class OnePage:
    """What a gate asks a page."""

    GRADIO_CACHE = "/cache"

    def make_room(self):
        """There is room."""


def through_the_gate(app, chunks=(), headers=(), listens="127.0.0.1"):
    """Status and body of an answer."""
    sent = []
    parts = [
        {"type": "http.request", "body": chunk, "more_body": True}
        for chunk in chunks
    ]
    parts.append({"type": "http.request"})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/gradio_api/call/a",
        "headers": [(b"host", b"localhost"), *headers],
    }

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(app, OnePage(), listens, 100)(scope, receive, send))
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return sent[0]["status"], body


def answering(status, body=b"its own"):
    async def app(scope, receive, send):
        read = await receive()
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": body or read["body"]})

    return app


def test_a_long_body_gets_413_however_it_comes():
    for chunks, headers in [
        ([bytes(60), bytes(60)], [(b"transfer-encoding", b"chunked")]),
        ([bytes(101)], []),
        ([], [(b"content-length", b"101")]),
        ([], [(b"content-length", b"-1")]),
    ]:
        status, body = through_the_gate(answering(200), chunks, headers)
        assert status == 413 and b"at most 100 bytes" in body
    status, body = through_the_gate(
        answering(200, None), [b"a" * 60, b"b" * 40]
    )
    assert (status, body) == (200, b"a" * 60 + b"b" * 40)


def test_hosts_are_those_of_the_address_that_is_listened_at():
    named = [(b"host", b"demo.example:80")]
    for listens, status in [
        *(("0.0.0.0", 200), ("192.0.2.1", 200), ("demo.example", 200)),
        *(("127.0.0.1", 421), ("127.0.1.1", 421), ("localhost", 421)),
        *(("::1", 421), ("[::1]", 421)),
    ]:
        said, _ = through_the_gate(answering(200), (), named, listens)
        assert said == status, listens
    foreign = [*named, (b"origin", b"http://evil.example")]
    own = [*named, (b"origin", b"http://demo.example:80")]
    assert through_the_gate(answering(200), (), foreign, "0.0.0.0")[0] == 403
    assert through_the_gate(answering(200), (), own, "0.0.0.0")[0] == 200


def test_only_a_failure_of_the_server_is_one():
    for error, status in [(KeyError("a"), 400), (TypeError("b"), 400)]:

        async def stumble(scope, receive, send, error=error):
            raise error

        assert through_the_gate(stumble)[0] == status

    async def full(scope, receive, send):
        await send({"type": "http.response.start", "status": 500})
        await send({"type": "http.response.body", "body": b"/its/folder"})
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        through_the_gate(full)
    for status in (400, 404, 422, 500, 503):
        code, body = through_the_gate(answering(status))
        assert code == status and b"its own" not in body and b"detail" in body


def test_nobody_else_was_asked(server, hosts):
    assert hosts <= {"127.0.0.1", "localhost", None}


# --- The command -------------------------------------------------------------


def test_the_command_serves_a_run_and_shows_how_to_ask(
    exports, tmp_path, monkeypatch, capsys
):
    import gradio

    run = tmp_path / "my run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    (run / "export").symlink_to(exports["conditional_gan"])
    pages = []
    monkeypatch.setattr(
        gradio.Blocks, "block_thread", lambda page: pages.append(page)
    )
    with loops_left_open():
        assert main(["demo", str(run), "--port", "0"]) == 0
    try:
        address, _, first, second = capsys.readouterr().out.splitlines()
        assert address.startswith("http://127.0.0.1:")
        _, url, _, header, _, body = shlex.split(first)
        name, value = header.split(": ")
        answer = httpx.post(url, content=body, headers={name: value})
        url = shlex.split(second, comments=True)[-1]
        url = url.replace("EVENT_ID", answer.json()["event_id"])
        assert "event: complete" in httpx.get(url).text
    finally:
        with loops_left_open():
            pages[0].close()


def test_the_command_refuses_what_is_no_export(tmp_path, capsys):
    assert main(["demo", str(tmp_path)]) == 2
    assert "Expected a run that has ended" in capsys.readouterr().err


def test_a_port_that_is_none_or_taken_is_refused(exports, server, capsys):
    taken = str(server.base_url.port)
    for port, message in (("65536", "from 0 to 65535"), (taken, taken)):
        with loops_left_open():
            status = main(["demo", str(exports["gpt"]), "--port", port])
        assert status == 2 and message in capsys.readouterr().err


# --- Music -------------------------------------------------------------------


def test_music_is_midi(models, tmp_path):
    path = tmp_path / "piece.mid"
    path.write_bytes(models["music"].compose(16, seed=1))
    assert 1 <= len(read_midi(path, 2)) <= 16


def test_without_what_plays_it_there_is_midi_alone(exports, monkeypatch):
    monkeypatch.setitem(sys.modules, "pretty_midi", None)
    with loops_left_open():
        page = build_page([exports["music"]])
    endpoint = page.get_api_info()["named_endpoints"]["/compose"]
    assert [each["label"] for each in endpoint["returns"]] == ["MIDI"]


def test_models_of_like_names_are_told_apart(exports, tmp_path):
    paths = [tmp_path / name for name in ("d 1", "d-1")]
    for path in paths:
        shutil.copytree(exports["pixelcnn"], path)
    with loops_left_open():
        endpoints = build_page(paths).get_api_info()["named_endpoints"]
    generate = [name for name in endpoints if name.endswith("_generate")]
    assert generate == ["/d_1_generate", "/d_1_2_generate"]
