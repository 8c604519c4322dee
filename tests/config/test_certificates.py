"""Certificates are read, and what is wrong with them is told by name."""

import ssl
from pathlib import Path

import pytest
import trustme

from syncd.config import certificates
from syncd.config.access import Tls
from syncd.errors import ConfigError

ENTRY = "entries: {A: {driver: memory}}\n"
TLS = f"{ENTRY}tls: {{certificate: tls.crt, key: tls.key}}\n"


def issue(folder: Path, name: str = "tls") -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    (folder / f"{name}.crt").write_bytes(chain)
    (folder / f"{name}.key").write_bytes(certificate.private_key_pem.bytes())


def test_a_sound_pair_beside_the_configuration(sound, tmp_path):
    issue(tmp_path)

    tls = sound(TLS).tls

    assert tls == Tls(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key")
    assert certificates.context(tls).minimum_version == ssl.TLSVersion.TLSv1_2


def test_with_tls_others_may_reach_us(sound, tmp_path):
    issue(tmp_path)

    assert sound(f"{TLS}listen: [0.0.0.0:3862]").listen[0].host == "0.0.0.0"


def test_files_that_are_not_there(faults, tmp_path):
    assert faults(TLS) == [
        f"tls.{name}: {tmp_path}/{file} cannot be read: No such file or directory;"
        " name a file that syncd may read"
        for name, file in (("certificate", "tls.crt"), ("key", "tls.key"))
    ]


def test_a_key_of_another_certificate(faults, tmp_path):
    issue(tmp_path)
    issue(tmp_path, "other")
    (tmp_path / "other.key").replace(tmp_path / "tls.key")

    [said] = faults(TLS)

    assert "tls.crt does not belong to" in said


def test_what_is_no_certificate(faults, tmp_path):
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("nothing of the kind")

    [said] = faults(TLS)

    assert "are no certificate and key; name files in PEM form" in said


def test_a_key_with_a_password_is_not_asked_about(faults, tmp_path):
    from cryptography.hazmat.primitives import serialization

    issue(tmp_path)
    plain = (tmp_path / "tls.key").read_bytes()
    key = serialization.load_pem_private_key(plain, None)
    (tmp_path / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    [said] = faults(TLS)

    assert "the key is encrypted; decrypt it" in said


def test_a_half(faults):
    assert faults(f"{ENTRY}tls: {{key: a}}") == ["tls.certificate: is missing; add it"]


def test_files_that_went_bad_later(sound, tmp_path):
    issue(tmp_path)
    tls = sound(TLS).tls
    (tmp_path / "tls.key").unlink()

    with pytest.raises(ConfigError, match=r"key .*tls\.key cannot be read"):
        certificates.context(tls)
