"""How devices sign their requests (RFC 9421): what the device's client and the API must agree on."""

from __future__ import annotations

COVERED_COMPONENTS = ("@method", "@authority", "@path", "@query", "content-digest")
"""What every signature covers; the digest (RFC 9530) is sent with empty bodies too."""

SIGNATURE_TAG = "hearsay-device"
"""Tells our signatures from those that others put on the same request."""

SIGNATURE_SECONDS = 60
"""Seconds from ``created`` to ``expires`` as our client sets them."""

LONGEST_SIGNATURE_SECONDS = 300
"""Seconds that a signature may be valid for at most; nonces are remembered that long."""

CLOCK_SKEW_SECONDS = 30
"""Seconds by which a device's clock may be ahead or behind."""

NONCE_LENGTHS = (16, 64)
"""Fewest and most characters of a nonce."""
