"""Log directories that are URLs, such as ``s3://bucket/logs``: whatever fsspec reaches.

Credentials and settings are fsspec's and its packages' own, from the environment or their files.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import tempfile
from collections.abc import Iterator
from typing import Any

from tb_gradplugin import event_files, metadata

INSTALL = 'pip install "tb-gradplugin[remote]"'


def is_url(path: str) -> bool:
    """Whether fsspec is asked, not the local file system."""
    return "://" in path


def join(directory: str, *names: str) -> str:
    """As ``os.path.join``; in URLs by slashes on every platform."""
    if not is_url(directory):
        return os.path.join(directory, *names)
    return "/".join([directory.rstrip("/"), *names])


def check(url: str) -> None:
    """Checks, without asking the store, that there is a package for the scheme of ``url``.

    Raises:
        ValueError: fsspec knows no such scheme.
        ImportError: fsspec or the package for this scheme is missing; says what to install.
    """
    try:
        import fsspec
    except ImportError:
        raise ImportError(f"{url!r} needs fsspec: {INSTALL}") from None
    for part in url.split("::"):
        scheme = part.partition("://")[0]
        try:
            fsspec.get_filesystem_class(scheme)
        except ImportError as error:
            raise ImportError(f"{url!r} needs a package that is not installed: {error}") from error
        except ValueError:
            raise ValueError(
                f"{url!r} has the scheme {scheme!r}, which fsspec does not know; "
                "it knows file, s3, gs, abfs, hdfs, sftp and others"
            ) from None


def open_store(url: str) -> tuple[Any, str]:
    """fsspec's file system for ``url``, and the path in it.

    Raises:
        Exception: of any kind; each store has its own.
    """
    from fsspec.core import url_to_fs

    return url_to_fs(url)


def put(url: str, name: str, data: bytes) -> None:
    """Writes a whole new file ``name`` into the directory ``url``, which is made if needed.

    Raises:
        Exception: of any kind; each store has its own.
    """
    store, directory = open_store(url)
    # Elsewhere the first part is a bucket; a mistyped one would be made.
    if directory.startswith("/") or os.path.isabs(directory):
        store.makedirs(directory, exist_ok=True)
    store.pipe_file(posixpath.join(directory, name), data)


@contextlib.contextmanager
def local_copy(url: str, *, monitors_only: bool) -> Iterator[str]:
    """A temporary local directory with the event files below ``url``.

    Whole files are fetched, several at a time where the store can.

    Args:
        url: of a directory.
        monitors_only: leave out what is not in a monitor's directory.

    Raises:
        Exception: of any kind; each store has its own.
    """
    check(url)
    store, root = open_store(url)
    store.invalidate_cache()
    with tempfile.TemporaryDirectory(prefix="tb-gradients-") as directory:
        directory = os.path.realpath(directory)
        # A monitor's own directory keeps its name.
        base = root.rstrip("/")
        top = posixpath.basename(base)
        if top == metadata.MONITOR_SUBDIR:
            directory = os.path.join(directory, top)
        there, here = [], []
        for path in store.find(root):
            folder, name = posixpath.split(path)
            if event_files.NAME_MARK not in name or not path.startswith(f"{base}/"):
                continue
            if monitors_only and posixpath.basename(folder) != metadata.MONITOR_SUBDIR:
                continue
            local = os.path.realpath(os.path.join(directory, path[len(base) + 1 :]))
            if not local.startswith(directory + os.sep):
                continue  # keys of a store may hold ".."
            os.makedirs(os.path.dirname(local), exist_ok=True)
            there.append(path)
            here.append(local)
        if there:
            store.get(there, here)
        yield directory
