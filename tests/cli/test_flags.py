"""Context flags: pairs, and how they meet what a file says."""

import numpy as np
import pytest

from micrographia.cli.flags import fold_pairs, given, parse_pair, with_context
from micrographia.context import Context
from micrographia.errors import ContextError
from micrographia.micrograph import Micrograph, Provenance

NOTHING = dict.fromkeys(
    ("file", "energy_kev", "convergence_mrad", "collection_mrad", "pixel_size_nm", "dose", "host", "dopant")
)


def scan(context, pixel_size_nm):
    return Micrograph(
        frames=np.zeros((1, 8, 8), dtype=np.float32),
        pixel_size_nm=pixel_size_nm,
        context=context,
        provenance=Provenance(file="made here", sha256=None, reader="numpy", software="0"),
    )


def test_pairs_fold_only_behind_their_options():
    assert fold_pairs(["a", "1", "2", "--size-nm", "3", "4", "5"]) == ["a", "1", "2", "--size-nm", "3,4", "5"]
    assert fold_pairs(["--collection-mrad", "70", "--out"]) == ["--collection-mrad", "70", "--out"]


@pytest.mark.parametrize("text", ["70", "70,", "a,b", "1,2,3"])
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(ContextError, match="two numbers"):
        parse_pair(text, option="--collection-mrad")


def test_flags_win_over_the_context_file_and_both_over_the_micrograph(tmp_path):
    file = tmp_path / "context.yaml"
    file.write_text("host: WSe2\nenergy_kev: 60\npixel_size_nm: 0.02\n")
    told = given(**{**NOTHING, "file": file, "energy_kev": 200.0})
    assert (told.context.energy_kev, told.context.host, told.pixel_size_nm) == (200.0, "WSe2", 0.02)
    result = with_context(scan(Context(energy_kev=80.0, sample="S", origin="file"), 0.03), told)
    assert (result.context.energy_kev, result.context.origins["energy_kev"]) == (200.0, "user")
    assert (result.context.sample, result.context.origins["sample"]) == ("S", "file")
    assert (result.pixel_size_nm, result.pixel_size_origin) == (0.02, "user")
    assert result.context.notes == (
        "energy_kev is 80 in the file and 200 as given: the given value is used",
        "pixel size is 0.03 nm in the file and 0.02 nm as given: the given value is used",
    )


def test_saying_nothing_changes_nothing():
    before = scan(Context(energy_kev=80.0, origin="file"), None)
    after = with_context(before, given(**NOTHING))
    assert (after.context, after.pixel_size_nm) == (before.context, None)
