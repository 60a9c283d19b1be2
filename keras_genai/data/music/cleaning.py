"""Any MIDI file -> a MIDI file of notes and instruments only.

Titles, key signatures, tempos, pedals and other messages are often broken, and
are not needed here.

Reference:
    MIDI Manufacturers Association, Standard MIDI Files 1.0, 1996.
"""

_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x80, 0x90, 0xC0
_SYSTEM, _META, _END_OF_TRACK = 0xF0, 0xFF, 0x2F
_SYSEX = (0xF0, 0xF7)
MAX_MESSAGES = 2**18  # notes and instruments of a file: seconds to read
_MAX_LENGTH = 4  # bytes of a number of variable length
# Bytes behind the status byte: messages of a channel, then of the system.
_LENGTHS = {
    **{0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2},
    **{0xF1: 1, 0xF2: 2, 0xF3: 1},
}


def notes_only(data):
    """Rewrites a MIDI file, keeping only notes and instruments.

    Args:
        data: Bytes of a standard MIDI file.

    Returns:
        Bytes of a file with the same tracks, and the notes at the same ticks.

    Raises:
        ValueError: If it is not a MIDI file, if it ends too early, if its
            time is not counted in quarters, or if it has more notes and
            instruments than `MAX_MESSAGES`.
    """
    chunk, _, rest = _chunk(memoryview(data))  # not copied
    if chunk[:4] != b"MThd" or len(chunk) < 14:
        raise ValueError("it does not begin as a MIDI file does")
    num_tracks, resolution = _integer(chunk[10:12]), _integer(chunk[12:14])
    if not 0 < resolution < 0x8000:
        raise ValueError("its time is not counted in parts of a quarter")
    tracks, left = [], MAX_MESSAGES
    while len(tracks) < num_tracks:
        if not rest:
            raise ValueError(
                f"it ends after {len(tracks)} of its {num_tracks} tracks"
            )
        chunk, whole, rest = _chunk(rest)
        if chunk[:4] != b"MTrk":
            continue  # a chunk of another program
        if not whole:
            raise ValueError(f"it ends within track {len(tracks) + 1}")
        try:
            track, count = _track(chunk[8:], left)
        except IndexError as error:
            raise ValueError(
                f"track {len(tracks) + 1} ends within a message"
            ) from error
        tracks.append(track)
        left -= count
    header = b"MThd" + _bytes(6, 4) + _bytes(1, 2)
    header += _bytes(num_tracks, 2) + _bytes(resolution, 2)
    return header + b"".join(
        b"MTrk" + _bytes(len(track), 4) + track for track in tracks
    )


def _chunk(data):
    """Returns the first chunk, whether it is whole, and the other data."""
    stop = 8 + _integer(data[4:8])
    return data[:stop], len(data) >= max(stop, 8), data[stop:]


def _track(data, most):
    """Returns a track's notes and programs, with new waits, and their count."""
    kept, place, wait, status, count = bytearray(), 0, 0, None, 0
    while place < len(data):
        ticks, place = _variable_length(data, place)
        wait += ticks
        if data[place] >= 0x80:
            message = data[place]
            place += 1
        elif status is None:
            raise ValueError("a track begins in the middle of a message")
        else:
            message = status  # the same as before
        if message == _META:
            kind = data[place]
            length, place = _variable_length(data, place + 1)
            place += length
            if kind == _END_OF_TRACK:
                break
            continue
        if message in _SYSEX:
            length, place = _variable_length(data, place)
            place += length
            continue
        if message >= _SYSTEM:
            place += _LENGTHS.get(message, 0)
            continue
        status, kind = message, message & 0xF0
        values = [data[place + i] for i in range(_LENGTHS[kind])]
        place += len(values)
        if kind in (_NOTE_OFF, _NOTE_ON, _PROGRAM):
            if max(values) > 127:
                raise ValueError(f"a note has the value {max(values)}")
            kept += _written(wait) + bytes([message, *values])
            wait = 0
            count += 1
            if count > most:
                raise ValueError(
                    f"it has more than {MAX_MESSAGES:,} notes and instruments"
                )
    return bytes(kept) + bytes([0, _META, _END_OF_TRACK, 0]), count


def _variable_length(data, place):
    """Reads a number of seven bits a byte, and where the next one begins."""
    number = 0
    for _ in range(_MAX_LENGTH):
        byte = data[place]
        number, place = number * 128 + byte % 128, place + 1
        if byte < 128:
            return number, place
    raise ValueError(f"a number has more than {_MAX_LENGTH} bytes")


def _written(number):
    """Writes a number, seven bits a byte; all but the last have bit eight."""
    parts = [number % 128]
    while number := number // 128:
        parts.append(128 + number % 128)
    return bytes(reversed(parts))


def _integer(data):
    return int.from_bytes(data, "big")


def _bytes(number, length):
    return number.to_bytes(length, "big")
