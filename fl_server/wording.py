"""What the server's commands say more than once."""

SECURE_STATES_MORE = (
    "--privacy secure is priced by the sum's discrete noise and states more: a little against the server, up to 2.8 "
    "times as much against recipients (docs/secure-aggregation.md)."
)
