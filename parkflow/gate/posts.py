"""By what uploads are judged: where their gates stand, their operators' keys and their lots' rules."""

from collections.abc import Iterable, Mapping

from parkflow import core
from parkflow.credential import keys as credential_keys
from parkflow.credential.keys import IssuerKey
from parkflow.db.conn import Conn
from parkflow.gate.store import Gate
from parkflow.lot import service as lot_service
from parkflow.vault import Vault


class Posts:
    """Reads everything anew for each flush; an operator's keys are only parsed again when they have changed."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._keys: dict[int, tuple[list[IssuerKey], core.KeySet, core.SubjectKeys]] = {}

    async def of(self, conn: Conn, gates: Iterable[Gate]) -> Mapping[int, core.UploadPost]:
        """The post of each gate, by its id."""
        standing = {gate.gate_id: gate for gate in gates}
        lots = await lot_service.by_id(conn, sorted({gate.lot_id for gate in standing.values()}))
        lanes = await lot_service.lanes_by_id(conn, sorted({gate.lane_id for gate in standing.values()}))
        keys = {
            operator_id: await self._keys_of(conn, operator_id)
            for operator_id in sorted({gate.operator_id for gate in standing.values()})
        }
        posts = {}
        for gate in standing.values():
            lot, lane = lots[gate.lot_id], lanes[gate.lane_id]
            policy = core.Policy(lot.policy.code_age_max_seconds, lot.policy.skew_seconds, product=lot.product)
            key_set, subject_keys = keys[gate.operator_id]
            posts[gate.gate_id] = core.UploadPost(
                key_set, policy, subject_keys, str(lane.direction), str(lot.policy.exit_denied)
            )
        return posts

    async def _keys_of(self, conn: Conn, operator_id: int) -> tuple[core.KeySet, core.SubjectKeys]:
        keys = await credential_keys.issuer_keys(conn, operator_id)
        known = self._keys.get(operator_id)
        if known is None or known[0] != keys:
            known = (keys, *credential_keys.verifying_keys(self._vault, keys))
            self._keys[operator_id] = known
        return known[1], known[2]
