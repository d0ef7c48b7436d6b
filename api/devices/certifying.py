"""Checking that a device owns the keys that it trains under, and certifying its identity key."""

from __future__ import annotations

from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from api.problems import Problem, ProblemError
from models.domain.training_keys import PublicTrainingKeys
from models.privacy.secure_aggregation.identity import is_signed


def require_own_keys(keys: PublicTrainingKeys, node_proof: bytes, identity_proof: bytes) -> None:
    """Return only if both keys are of their kinds and both signed that they belong together.

    Raises:
        ProblemError: One isn't, or didn't.
    """
    node = _load_node_key(keys.node_key)
    try:
        node.verify(node_proof, keys.statement, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        _refuse("node_proof is no signature of node_key over both keys")
    if not is_signed(keys.identity_key, keys.statement, identity_proof):
        _refuse("identity_proof is no signature of identity_key over both keys")


def _load_node_key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        _refuse("node_key is no DER of a public key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        _refuse("node_key is not on the curve P-384")
    # One key, one spelling: otherwise it could be enrolled twice.
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        _refuse("node_key is not in the plain form that is documented")
    return key


def _refuse(detail: str) -> NoReturn:
    raise ProblemError(Problem.KEYS_REFUSED, detail)
