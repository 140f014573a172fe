import subprocess
import sys

import micrographia.read

HEAVY = "torch abtem matplotlib hyperspy rsciio dask h5py tifffile pooch scipy skimage numba PIL pandas ase"


def test_reading_does_not_load_what_it_does_not_need():
    code = f"import sys, micrographia.read; print(*[m for m in {HEAVY.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_reading_a_file_does_not_load_torch(tmp_path):
    from PIL import Image

    Image.new("L", (16, 16)).save(tmp_path / "scan.tif")
    code = (
        "import sys; from micrographia.read import read; "
        f"read({str(tmp_path / 'scan.tif')!r}); "
        "print(*[m for m in ('torch', 'abtem', 'hyperspy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_public_names():
    assert sorted(micrographia.read.__all__) == [
        "GivenContext",
        "ImageEntry",
        "list_images",
        "read",
        "read_channels",
        "read_context",
    ]
