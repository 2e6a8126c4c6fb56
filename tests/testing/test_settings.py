"""Torch's settings, each changed in turn: the change is seen, and taken back."""

import pytest
import torch

from structpred.testing import ViolationError
from structpred.testing.law import leaving_settings_alone
from structpred.testing.settings import restoring_torch, torch_settings

CHANGES = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "precision of float32 products": lambda: torch.set_float32_matmul_precision("high"),
    "default device": lambda: torch.set_default_device("meta"),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "threads of autograd": lambda: torch.autograd.set_multithreading_enabled(False),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "checks of sparse tensors": torch.sparse.check_sparse_tensor_invariants.enable,
    "print options": lambda: torch.set_printoptions(precision=2),
    "repeated warnings": lambda: torch.set_warn_always(True),
    "denormal numbers": lambda: torch.set_flush_denormal(True),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_a_change_is_told_and_taken_back(name):
    before = torch_settings()
    told = pytest.raises(ViolationError, match=f"the call changed torch's {name}")
    with restoring_torch(), told, leaving_settings_alone():
        CHANGES[name]()
    assert torch_settings() == before


def test_every_setting_is_changed_above_but_for_what_only_a_block_sets():
    assert set(torch_settings()) - set(CHANGES) == {"inference mode"}
