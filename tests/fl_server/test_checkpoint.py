"""The state of a run between two rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl_server.checkpoint import FederationState, last_round, load_checkpoint, save_checkpoint
from models.domain.round import ReplyFate
from models.errors import CheckpointError
from tests.small_federation import PLAN, Watcher, run_federation, small_grid

RUN = "fingerprint of a run"

vectors = arrays(np.float64, 5, elements=st.floats(allow_nan=False))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    watcher = Watcher()
    run_federation(tmp_path_factory.mktemp("run"), PLAN, small_grid(), watcher)
    return watcher.published[0]


@pytest.fixture
def saved(tmp_path, report):
    """Save a state in a folder and return the folder."""
    save_checkpoint(tmp_path, FederationState(3, np.arange(5.0), np.ones(5), report), RUN)
    return tmp_path


@given(model=vectors, smoothed=vectors)
def test_a_state_comes_back_bit_for_bit(tmp_path_factory, report, model, smoothed):
    folder = tmp_path_factory.mktemp("state")
    save_checkpoint(folder, FederationState(3, model, smoothed, report), RUN)
    back = load_checkpoint(folder, 3, RUN)
    assert (back.model.tobytes(), back.smoothed.tobytes()) == (model.tobytes(), smoothed.tobytes())
    assert (back.round_number, back.report) == (3, report)
    assert all(isinstance(fate, ReplyFate) for fate in back.report.fates)


def test_a_state_without_a_report_comes_back(tmp_path):
    save_checkpoint(tmp_path, FederationState(1, np.zeros(2), np.zeros(2), None), RUN)
    assert load_checkpoint(tmp_path, 1, RUN).report is None


def test_the_last_round_is_the_highest_whole_file(saved, report):
    save_checkpoint(saved, FederationState(12, np.zeros(5), np.zeros(5), report), RUN)
    (saved / ".round-0099.npz.cut-short").write_bytes(b"")
    (saved / "round-0013 (copy).npz").write_bytes(b"")
    assert last_round(saved) == 12


def test_a_folder_without_checkpoints_is_at_round_zero(tmp_path):
    assert last_round(tmp_path) == last_round(tmp_path / "not there") == 0


def test_earlier_rounds_stay(saved, report):
    save_checkpoint(saved, FederationState(4, np.zeros(5), np.zeros(5), report), RUN)
    assert np.array_equal(load_checkpoint(saved, 3, RUN).model, np.arange(5.0))


def test_a_checkpoint_of_another_plan_is_refused(saved):
    with pytest.raises(CheckpointError, match="other settings"):
        load_checkpoint(saved, 3, "another fingerprint")


def test_a_checkpoint_that_is_not_there_is_an_error(saved):
    with pytest.raises(CheckpointError):
        load_checkpoint(saved, 2, RUN)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99])
def test_a_checkpoint_cut_short_is_an_error(saved, share):
    (path,) = saved.glob("round-*.npz")
    content = path.read_bytes()
    path.write_bytes(content[: math.floor(share * len(content))])
    with pytest.raises(CheckpointError, match="can't be read"):
        load_checkpoint(saved, 3, RUN)


def test_a_flipped_bit_in_a_value_is_an_error_and_never_another_model(saved):
    (path,) = saved.glob("round-*.npz")
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(3.0).tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="can't be read"):
        load_checkpoint(saved, 3, RUN)


@pytest.mark.parametrize("flag", [b"\x01\x00", b"\x20\x00", b"\x40\x00"])
@pytest.mark.parametrize("entry", [b"PK\x03\x04", b"PK\x01\x02"])
def test_an_archive_whose_flags_or_method_flipped_is_an_error(saved, entry, flag):
    """zipfile takes it for encryption or another compression, and raises errors that are no error of its own."""
    (path,) = saved.glob("round-*.npz")
    content = path.read_bytes()
    place = content.index(entry) + (6 if entry == b"PK\x03\x04" else 8)
    for changed in (flag + content[place + 2 : place + 4], content[place : place + 2] + b"\x63\x00"):
        path.write_bytes(content[:place] + changed + content[place + 4 :])
        try:
            load_checkpoint(saved, 3, RUN)
        except CheckpointError:
            continue


@pytest.mark.parametrize("report_text", ["rubbish", "5", "[]", "{}", '{"fates": 3}', '{"fates": {"eaten": 1}}'])
def test_a_report_that_is_none_is_an_error(tmp_path, report_text):
    values = {"model": np.zeros(2), "smoothed": np.zeros(2), "settings": np.array(RUN)}
    np.savez(tmp_path / "round-0001.npz", report=np.array(report_text), **values)
    with pytest.raises(CheckpointError, match="can't be read"):
        load_checkpoint(tmp_path, 1, RUN)


def test_pickled_values_are_never_loaded(tmp_path):
    values = {"smoothed": np.zeros(2), "settings": np.array(RUN), "report": np.array("{}")}
    np.savez(tmp_path / "round-0001.npz", model=np.array([object()], dtype=object), **values)
    with pytest.raises(CheckpointError, match="can't be read"):
        load_checkpoint(tmp_path, 1, RUN)
