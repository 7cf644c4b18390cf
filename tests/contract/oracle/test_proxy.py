"""Through nginx under a path: what Oracle's client signs is what the server checks, on both base paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aidp_python_client.aidataplatform_dp import models as m
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from oci.exceptions import ServiceError

from contract.oracle.conftest import KEY_ID, PLATFORM, make_client, private_key
from proxying import PREFIX, Behind, behind_proxy

PLACE = (PLATFORM, "w")


@pytest.fixture(scope="module", params=["", PREFIX], ids=["host", "path"])
def behind(request: pytest.FixtureRequest, pem: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder: Path = tmp_path_factory.mktemp("proxy")
    public = load_pem_private_key(pem.encode(), None).public_key()
    file = folder / "public.pem"
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with behind_proxy(folder, prefix=request.param) as behind:
        behind.credential("--oci-key-id", KEY_ID, "--public-key", str(file))
        yield behind


@pytest.mark.parametrize("base", ["", "/api"])
def test_the_client(behind: Behind, pem: str, base: str) -> None:
    client = make_client(behind.url + base, pem)
    details = m.CreateExperimentDetails(name=f"behind é {base}")
    experiment = client.create_experiment(*PLACE, details).data.experiment_id
    run = client.create_experiment_run(*PLACE, m.CreateExperimentRunDetails(experiment_id=experiment)).data.run
    points = [m.ExperimentRunMetric(key="a/b c", value=0.5, timestamp=1, step=0)]
    client.log_experiment_run_batch(*PLACE, m.LogExperimentRunBatchDetails(run_id=run.info.run_id, metrics=points))
    found = client.get_experiment_run_metric_history(*PLACE, run.info.run_id, "a/b c").data.metrics
    assert [(each.step, each.value) for each in found] == [(0, 0.5)]


def test_another_key_is_refused(behind: Behind) -> None:
    with pytest.raises(ServiceError) as caught:
        make_client(behind.url, private_key()).create_experiment(*PLACE, m.CreateExperimentDetails(name="forged"))
    assert caught.value.status == 401
