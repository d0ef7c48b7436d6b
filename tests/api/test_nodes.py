"""Who may train: keys that are the device's own, the consent, and the orders that follow from them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import text

from api.upkeep import run_upkeep
from fl_client.api_client import ApiClient, _spell_keys
from fl_client.training_keys import TrainingKeys, make_training_keys
from models.domain.consent import Purpose
from models.domain.order import Order, RegisterNode, RemoveNode, admitted_nodes, parse_order
from models.errors import RefusedError
from models.privacy.secure_aggregation.identity import LIFETIME_SECONDS, is_certified
from models.record import read_records
from tests.api.conftest import Api


def orders(api: Api) -> dict[str, Order]:
    folder = api.registry / "orders"
    return {name: parse_order(record) for name, record in read_records(folder).items()} if folder.exists() else {}


def spelled(keys: TrainingKeys) -> str:
    return base64.b64encode(keys.public.node_key).decode()


def consent(device: ApiClient, purpose: Purpose) -> None:
    device.give_consent(next(found for found in device.consent_texts() if found.purpose is purpose))


def test_a_node_is_let_in_by_keys_and_consent_whichever_comes_first(api: Api) -> None:
    first, second = make_training_keys(), make_training_keys()
    device = api.enrolled(Purpose.TRAINING)
    assert orders(api) == {}
    device.send_training_keys(first)
    assert admitted_nodes(orders(api)) == {spelled(first)}
    other = ApiClient(api.connection, api.anonymous().enroll(second), now=lambda: api.clock.now)
    assert admitted_nodes(orders(api)) == {spelled(first)}
    consent(other, Purpose.TRAINING)
    assert admitted_nodes(orders(api)) == {spelled(first), spelled(second)}


def test_other_consents_let_nobody_in(api: Api) -> None:
    device = api.enrolled(Purpose.DETECTION, Purpose.STATISTICS)
    device.send_training_keys(make_training_keys())
    assert orders(api) == {}


def test_an_order_holds_the_node_key_and_nothing_of_the_device(api: Api) -> None:
    keys = make_training_keys()
    device = api.enrolled(Purpose.TRAINING)
    device.send_training_keys(keys)
    (path,) = (api.registry / "orders").iterdir()
    assert list(orders(api).values()) == [RegisterNode(spelled(keys))]
    assert device._signature is not None
    assert device._signature._device_id not in path.read_text() + path.name
    assert path.stat().st_mode & 0o777 == 0o644


def test_withdrawing_removes_the_node_and_destroys_the_keys_and_the_receipt_says_so(api: Api) -> None:
    keys = make_training_keys()
    device = api.enrolled(*Purpose)
    device.send_training_keys(keys)
    receipt = device.withdraw(Purpose.TRAINING)
    assert (receipt.keys_destroyed, receipt.node_removal_ordered) == (True, True)
    assert admitted_nodes(orders(api)) == frozenset()
    assert api.count("training_keys") == 0
    again = device.withdraw(Purpose.TRAINING)
    assert (again.receipt, again.keys_destroyed) == (receipt.receipt, False)
    assert len(orders(api)) == 2


def test_withdrawing_another_purpose_leaves_the_node_in(api: Api) -> None:
    device = api.enrolled(*Purpose)
    device.send_training_keys(make_training_keys())
    assert not device.withdraw(Purpose.STATISTICS).node_removal_ordered
    assert len(admitted_nodes(orders(api))) == 1


def test_consenting_again_takes_keys_again_and_makes_a_new_registration(api: Api) -> None:
    keys = make_training_keys()
    device = api.enrolled(Purpose.TRAINING)
    device.send_training_keys(keys)
    device.withdraw(Purpose.TRAINING)
    consent(device, Purpose.TRAINING)
    assert admitted_nodes(orders(api)) == frozenset()
    device.send_training_keys(keys)
    assert admitted_nodes(orders(api)) == {spelled(keys)}


def test_the_same_keys_and_consent_again_order_nothing_again_and_other_keys_replace_them(api: Api) -> None:
    first, second = make_training_keys(), make_training_keys()
    device = api.enrolled(Purpose.TRAINING)
    for _ in range(2):
        device.send_training_keys(first)
        consent(device, Purpose.TRAINING)
    assert len(orders(api)) == 1
    device.send_training_keys(second)
    assert admitted_nodes(orders(api)) == {spelled(second)}


def test_a_device_that_leaves_has_its_node_removed(api: Api) -> None:
    device = api.enrolled(Purpose.TRAINING)
    device.send_training_keys(make_training_keys())
    device.leave()
    assert admitted_nodes(orders(api)) == frozenset()
    assert {type(order) for order in orders(api).values()} == {RegisterNode, RemoveNode}


def test_a_key_belongs_to_one_device(api: Api) -> None:
    keys, other = make_training_keys(), make_training_keys()
    api.anonymous().enroll(keys)
    for taken in (keys, replace(keys, node=other.node), replace(keys, identity=other.identity)):
        with pytest.raises(RefusedError, match="another device"):
            api.anonymous().enroll(taken)
    assert (api.count("devices"), api.count("training_keys")) == (1, 1)


def test_the_identity_key_is_certified_by_the_authority(api: Api) -> None:
    keys = make_training_keys()
    authority = api.app.state.context.settings.keys.authority.public_key().public_bytes_raw()
    certificate = api.anonymous().enroll(keys).certificate
    assert certificate is not None
    now = api.app.state.context.settings.clock()
    assert is_certified(authority, keys.public.identity_key, certificate, now)
    assert not is_certified(authority, keys.public.identity_key, certificate, now + LIFETIME_SECONDS)
    assert api.enrolled().send_training_keys(make_training_keys()) != certificate


def sent(keys: TrainingKeys, **changes: bytes | str) -> dict[str, Any]:
    spelling = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in changes.items()
    }
    return {"training_keys": {**_spell_keys(keys), **spelling}}


def on_another_curve(keys: TrainingKeys) -> dict[str, Any]:
    node = ec.generate_private_key(ec.SECP256R1())
    der = node.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    statement = replace(keys.public, node_key=der).statement
    proofs = node.sign(statement, ec.ECDSA(hashes.SHA384())), keys.identity.sign(statement)
    return sent(keys, node_key=der, node_proof=proofs[0], identity_proof=proofs[1])


def of_rsa(keys: TrainingKeys) -> dict[str, Any]:
    der = (
        rsa.generate_private_key(65537, 1024).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return sent(keys, node_key=der)


ATTACKS: dict[str, Callable[[TrainingKeys], dict[str, Any]]] = {
    "somebody else's node key": lambda keys: sent(keys, node_key=make_training_keys().public.node_key),
    "somebody else's identity key": lambda keys: sent(keys, identity_key=make_training_keys().public.identity_key),
    "somebody else's proofs": lambda keys: sent(
        keys,
        node_proof=make_training_keys().proofs()[0],
        identity_proof=make_training_keys().proofs()[1],
    ),
    "its proofs exchanged": lambda keys: sent(keys, node_proof=keys.proofs()[1], identity_proof=keys.proofs()[0]),
    "a proof over the node key alone": lambda keys: sent(
        keys, node_proof=keys.node.sign(keys.public.node_key, ec.ECDSA(hashes.SHA384()))
    ),
    "a proof of another hash": lambda keys: sent(
        keys, node_proof=keys.node.sign(keys.public.statement, ec.ECDSA(hashes.SHA256()))
    ),
    "an empty proof": lambda keys: sent(keys, identity_proof=b""),
    "another curve": on_another_curve,
    "an RSA key": of_rsa,
    "a PEM": lambda keys: sent(
        keys, node_key=keys.node.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "a compressed point": lambda keys: sent(
        keys, node_key=keys.node.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    ),
    "a key with bytes behind it": lambda keys: sent(keys, node_key=keys.public.node_key + b"\x00"),
    "an identity key of 31 bytes": lambda keys: sent(keys, identity_key=keys.public.identity_key[:31]),
    "a null identity key": lambda keys: sent(keys, identity_key=bytes(32)),
    "no base64": lambda keys: sent(keys, node_key="!!!"),
    "a large key": lambda keys: sent(keys, node_key="A" * 4000),
    "a private key beside it": lambda keys: sent(keys, private_key=Ed25519PrivateKey.generate().private_bytes_raw()),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_keys_with(sqlite_api: Api, attack: str) -> None:
    before = sqlite_api.count("devices")
    answer = sqlite_api.connection.post("/v1/devices", json=ATTACKS[attack](make_training_keys()))
    assert answer.status_code == 422
    assert sqlite_api.count("devices") == before


def test_orders_that_cannot_be_written_wait_and_are_written_later(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    device = api.enrolled(Purpose.TRAINING)
    api.registry.mkdir(exist_ok=True)
    (api.registry / "orders").write_text("in the way")
    device.send_training_keys(make_training_keys())
    receipt = device.withdraw(Purpose.TRAINING)
    assert receipt.node_removal_ordered
    assert api.count("pending_orders") == 2
    assert "can't be written" in caplog.text
    (api.registry / "orders").unlink()
    run_upkeep(api.app.state.context)
    assert api.count("pending_orders") == 0
    assert len(orders(api)) == 2


def test_an_order_written_before_a_kill_is_not_written_twice(api: Api) -> None:
    device = api.enrolled(Purpose.TRAINING)
    device.send_training_keys(make_training_keys())
    ((name, order),) = orders(api).items()
    assert isinstance(order, RegisterNode)
    with api.engine.begin() as connection:
        values = {"name": name, "content": f'{{"node_key": "{order.node_key}", "kind": "register-node"}}'}
        connection.execute(text("INSERT INTO pending_orders VALUES (:name, :content)"), values)
    run_upkeep(api.app.state.context)
    assert list(orders(api)) == [name]
    assert api.count("pending_orders") == 0
