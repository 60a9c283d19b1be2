"""The inputs of a page's calls, and the files that it keeps."""

import contextlib
import os
from pathlib import Path

import gradio as gr
from anyio import to_thread

from keras_genai.demo.calls import Calls

MAX_KEPT_BYTES = 256 * 2**20
MAX_KEPT_FILES = 4096


class Page(gr.Blocks):
    """Gradio's page, whose calls get exactly the inputs of the request.

    Gradio looks for files in every input, at any depth, and fetches files from
    addresses. Here a call gets its inputs as they are in the request, and
    checks them itself; a sheet to draw on opens only files of the page's own
    folder.
    """

    async def preprocess_data(self, block_fn, inputs, *_, **__):
        """Takes the inputs of a call: Gradio's `Blocks.preprocess_data`."""
        expected = len(block_fn.inputs)
        if len(inputs) != expected:
            raise gr.Error(
                f"Expected {expected} inputs. Received: {len(inputs)} inputs",
                print_exception=False,
            )
        await to_thread.run_sync(self.make_room)
        return inputs

    def queue(self, *arguments, **options):
        """Makes the queue: Gradio's `Blocks.queue`."""
        super().queue(*arguments, **options)
        self._queue = Calls(
            live_updates=True,
            concurrency_count=self.max_threads,
            update_intervals=1,
            max_size=None,
            blocks=self,
            default_concurrency_limit=1,
        )
        return self

    def make_room(self):
        """Deletes the oldest files of the page's folder, if it is too full."""
        kept = set()
        for block in self.blocks.values():
            kept |= getattr(block, "keep_in_cache", set())
        make_room(self.GRADIO_CACHE, MAX_KEPT_BYTES, MAX_KEPT_FILES, kept)


def make_room(folder, max_bytes, max_files, kept=()):
    """Deletes the oldest files of a folder until the others are within bounds.

    Args:
        folder: Path.
        max_bytes: Integer, the limit of all files together.
        max_files: Integer.
        kept: Paths of files that are not deleted.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> for age, name in enumerate("cba"):
        ...     _ = (folder / name).write_bytes(bytes(10))
        ...     os.utime(folder / name, (0, 100 - age))
        >>> make_room(folder, 25, 5)
        >>> sorted(path.name for path in folder.iterdir())
        ['b', 'c']
    """
    kept = {str(path) for path in kept}
    files = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                files.append((status.st_mtime, status.st_size, path))
    count, size = len(files), sum(size for _, size, _ in files)
    for _, bytes_of_it, path in sorted(files):
        if count <= max_files and size <= max_bytes:
            return
        if str(path) in kept:
            continue
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it still has files
            if path.parent != Path(folder):
                path.parent.rmdir()
        count, size = count - 1, size - bytes_of_it
