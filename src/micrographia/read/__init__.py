"""Files to micrographs: one module a family of formats, one `read`."""

from micrographia.read.channels import read_channels
from micrographia.read.dispatch import list_images, read
from micrographia.read.entry import ImageEntry
from micrographia.read.record import GivenContext, read_context

__all__ = ["GivenContext", "ImageEntry", "list_images", "read", "read_channels", "read_context"]
