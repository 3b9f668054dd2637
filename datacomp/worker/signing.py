"""The worker's signature under its results, by a key that the service knows as this worker's."""

from collections.abc import Mapping

from datacomp.client.worker import WorkerClient
from datacomp.submission.attestation import Attestation, PrivateKey, key_statement, result_statement


class Signer:
    """Signs results of the worker `name`; its key is registered when it first signs."""

    def __init__(self, client: WorkerClient, name: str, key: PrivateKey) -> None:
        self._client, self._name, self._key = client, name, key
        self._key_id: str | None = None

    def attest(self, lease_id: str, files: Mapping[str, str]) -> Attestation:
        """The signature of a result: hashes by role, made under that lease.

        `ServiceError` if the service cannot be asked, or does not take the key.
        """
        if self._key_id is None:  # the service gives the same id to the same key
            proof = self._key.sign(key_statement(self._key.public, "worker", self._name))
            self._key_id = self._client.register_key(self._name, self._key.public, proof)
        statement = result_statement(key_id=self._key_id, lease_id=lease_id, files=files)
        return Attestation(key_id=self._key_id, signature=self._key.sign(statement))
