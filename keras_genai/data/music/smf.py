"""Events -> the bytes of a standard MIDI file, in TensorFlow operations.

They are few and TensorFlow's own, so that an exported model holds them and
writes MIDI without any other package.

Reference:
    MIDI Manufacturers Association, Standard MIDI Files 1.0, 1996.
"""

import tensorflow as tf

from keras_genai.data.music.score import REST

TICKS_PER_QUARTER = 480
TICKS_PER_STEP = 120
QUARTERS_PER_MINUTE = 90.0
MAX_VOICES = 15  # of 16 channels, less that of the drums

_CHURCH_ORGAN = 19
_DRUMS = 9  # the channel
_VELOCITY = 80
_BYTES = [bytes([value]) for value in range(256)]


def midi_file(
    events, steps, num_steps, quarters_per_minute=QUARTERS_PER_MINUTE
):
    """Writes a file of format 1: a track for the tempo, then one a voice.

    Args:
        events: Int32 tensor `(rows, voices)`, as in a `Score`. Between two
            rows all notes are held.
        steps: Int32 tensor `(rows,)`, the step of each row, ascending.
        num_steps: Int32 scalar tensor, the step at which the piece ends.
        quarters_per_minute: Float, the tempo.

    Returns:
        Scalar string tensor, the bytes.
    """
    num_voices = events.shape[1]
    tempo = round(60e6 / quarters_per_minute)  # microseconds a quarter
    header = b"MThd" + _big_endian(6, 4) + _big_endian(1, 2)
    header += _big_endian(1 + num_voices, 2) + _big_endian(TICKS_PER_QUARTER, 2)
    start = b"\x00\xff\x51\x03" + _big_endian(tempo, 3) + b"\x00\xff\x2f\x00"
    header += b"MTrk" + _big_endian(len(start), 4) + start

    # (voices, rows + 1): notes that sound at the end stop there.
    events = tf.pad(tf.transpose(events), [(0, 0), (0, 1)], "CONSTANT", REST)
    shape = tf.shape(events)
    ticks = TICKS_PER_STEP * tf.concat([steps, [num_steps]], axis=0)
    ticks = tf.broadcast_to(ticks, shape)
    begins, changes = events >= 0, (events >= 0) | (events == REST)
    sounding = _last(events, changes, REST)
    stops = changes & (sounding >= 0)
    wait = ticks - _last(ticks, begins | stops, 0)
    channels = [voice + (voice >= _DRUMS) for voice in range(num_voices)]
    channel = tf.constant(channels)[:, None]
    # (voices, rows + 1, bytes): the wait, the note that stops, a wait of 0, the
    # note that begins.
    columns = [
        *(
            (byte, used & (begins | stops))
            for byte, used in _variable_length(wait)
        ),
        *((byte, stops) for byte in (0x80 + channel, sounding, 0)),
        (0, stops & begins),
        *((byte, begins) for byte in (0x90 + channel, events, _VELOCITY)),
    ]
    values = tf.stack([tf.broadcast_to(v, shape) for v, _ in columns], axis=2)
    written = tf.stack([used for _, used in columns], axis=2)
    body = tf.strings.reduce_join(_as_bytes(values, written), axis=[2, 1])

    names = [f"voice {voice + 1}".encode() for voice in range(num_voices)]
    begin = tf.constant(
        [
            b"\x00\xff\x03"
            + bytes([len(name)])
            + name
            # program change
            + bytes([0, 0xC0 | channels[voice], _CHURCH_ORGAN])
            for voice, name in enumerate(names)
        ]
    )
    # There may be a rest between the last note and the end.
    last = tf.reduce_max(tf.where(begins | stops, ticks, 0), axis=1)
    rest = [_as_bytes(*each) for each in _variable_length(ticks[:, -1] - last)]
    end = tf.strings.join([*rest, b"\xff\x2f\x00"])
    tracks = begin + body + end
    length = tf.strings.length(tracks)[:, None]
    length = length // tf.constant([256**3, 256**2, 256, 1]) % 256
    length = tf.strings.reduce_join(_as_bytes(length, True), axis=1)
    return header + tf.strings.reduce_join(b"MTrk" + length + tracks)


def _as_bytes(values, written):
    """Returns strings of one byte, empty where a value is not written."""
    values = tf.where(written, values, 0)
    return tf.where(written, tf.gather(tf.constant(_BYTES), values), "")


def _big_endian(value, length):
    return value.to_bytes(length, "big")


def _last(values, chosen, otherwise):
    """Returns, in each row and before each place, the last chosen value."""
    found = tf.boolean_mask(values, chosen)
    counts = tf.cast(chosen, "int32")
    before = tf.cumsum(counts, axis=1, exclusive=True)
    first = tf.cumsum(tf.reduce_sum(counts, axis=1), exclusive=True)[:, None]
    places = tf.where(before > 0, first + before - 1, tf.size(found))
    return tf.gather(tf.pad(found, [(0, 1)], "CONSTANT", otherwise), places)


def _variable_length(numbers):
    """Returns four bytes of seven bits each, and whether each is written."""
    # Bit eight says that another byte follows.
    return [
        (
            numbers // place % 128 + 128 * (place > 1),
            (numbers >= place) | (place == 1),
        )
        for place in (128**3, 128**2, 128, 1)
    ]
