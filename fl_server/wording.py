"""What the server's commands say more than once."""

SECURE_STATES_MORE = (
    "--privacy secure is priced by the sum's discrete noise and states more: a little against the server, several "
    "times as much against recipients, and the more the fewer are drawn (docs/secure-aggregation.md)."
)
