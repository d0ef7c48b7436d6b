"""A report answers one question instead of all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.alter_column("answers", new_column_name="answer", existing_type=sa.Text, existing_nullable=False)
        reports.add_column(
            sa.Column(
                "metric",
                sa.String(32),
                nullable=False,
                server_default="verdict",  # the only question until now
                comment="drawn on the device, whatever the call was",
            )
        )
    with op.batch_alter_table("reports") as reports:
        reports.alter_column("metric", server_default=None, existing_type=sa.String(32), existing_nullable=False)
    op.execute("""UPDATE reports SET answer = replace(replace(answer, '{"verdict":', '['), '}', ']')""")


def downgrade() -> None:
    op.execute("DELETE FROM reports WHERE metric <> 'verdict'")
    op.execute("""UPDATE reports SET answer = replace(replace(answer, '[', '{"verdict":'), ']', '}')""")
    with op.batch_alter_table("reports") as reports:
        reports.drop_column("metric")
        reports.alter_column("answer", new_column_name="answers", existing_type=sa.Text, existing_nullable=False)
