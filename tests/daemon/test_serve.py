"""The whole daemon as a process: ready and gone, refused starts, killed parts, TLS, draining; and its exit status."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daemon import command, serve
from daemon.config import Config
from daemon.opening import StartError
from daemon.store.embedded import EmbeddedPostgres, PostgresSettings
from tandem.v1 import links_pb2, system_pb2
from tests.api.world import Client, client, folders
from tests.daemon.process import DaemonProcess, environment, eventually, running
from tests.daemon.process import command as daemon_command

pytestmark = pytest.mark.anyio
SMALL = PostgresSettings(shared_buffers="16MB")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path / "data"


async def fetched(url: str) -> tuple[int, Any]:
    """Status and JSON of a page."""

    def fetch() -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return await anyio.to_thread.run_sync(fetch)


def started(data_dir: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A start that has to fail."""
    return subprocess.run(
        daemon_command(),
        env=environment(data_dir, **settings),
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ------------------------------------------------------------------------------------------------ start and stop


async def test_ready_says_where_everything_is_and_the_end_takes_it_back(data_dir: Path) -> None:
    with running(data_dir) as daemon:
        file = data_dir / "ready.json"
        assert json.loads(file.read_text()) == dict(daemon.ready)
        assert daemon.ready["pid"] == daemon.process.pid
        assert daemon.ready["store"] == "embedded"
        token = data_dir / "admin.token"
        assert stat.S_IMODE(token.stat().st_mode) == stat.S_IMODE(file.stat().st_mode) == 0o600
        first = token.read_text()
        async with client(daemon) as admin:
            await admin(admin.system.CreateTenant, system_pb2.CreateTenantRequest(id="kept"))
        assert (await fetched(f"{daemon.http}/healthz"))[0] == 200
        assert daemon.stop() == 0
        assert not file.exists()
        actions = [line["action"] for line in daemon.lines()]
        assert actions[-3:] == ["daemon.draining", "daemon.drained", "daemon.stopped"]
    with running(data_dir) as again:
        assert token.read_text() == first
        async with client(again) as admin:
            found = await admin(admin.system.ListTenants, system_pb2.ListTenantsRequest())
            assert [one.id for one in found.tenants] == ["kept"]
        assert again.stop(signal.SIGINT) == 0


async def test_a_second_daemon_on_the_same_folder_is_refused(data_dir: Path) -> None:
    with running(data_dir) as daemon:
        found = await anyio.to_thread.run_sync(started, data_dir)
        assert found.returncode == 1
        assert f"pid {daemon.process.pid}" in found.stderr and "hint:" in found.stderr
        async with client(daemon) as admin:
            await admin(admin.system.GetStatus, system_pb2.GetStatusRequest())


async def test_an_address_in_use_is_refused_naming_the_setting(data_dir: Path) -> None:
    with running(data_dir) as daemon:
        other = data_dir.parent / "other"
        taken = daemon.grpc
        found = await anyio.to_thread.run_sync(lambda: started(other, listen=taken))
        assert found.returncode == 1
        assert taken in found.stderr and "TANDEM_LISTEN" in found.stderr
        taken = daemon.http.removeprefix("http://")
        found = await anyio.to_thread.run_sync(lambda: started(other, http_listen=taken))
        assert found.returncode == 1 and "TANDEM_HTTP_LISTEN" in found.stderr


async def test_killed_without_warning_it_starts_again_with_all_it_had(data_dir: Path, tmp_path: Path) -> None:
    with running(data_dir) as daemon:
        async with client(daemon) as admin:
            tenant = await admin.tenant()
            a, b = folders(tmp_path / "files")
            await admin.connection(tenant, "a", a)
            await admin.connection(tenant, "b", b)
            link = await admin.link(tenant)
        assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    with running(data_dir) as again:
        async with client(again) as admin:
            get = links_pb2.GetLinkRequest(link=link.id)

            async def settled() -> bool:
                return bool((await admin(admin.links.GetLink, get)).bindings == 1)

            await eventually(settled, 60)
            assert "Ann" in (b / "kunden.csv").read_text()


async def test_a_killed_database_is_brought_back_and_work_goes_on(data_dir: Path) -> None:
    with running(data_dir) as daemon:
        postmaster = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)

        async def restarted() -> bool:
            return any(line["action"] == "postgres runs again" for line in daemon.lines())

        await eventually(restarted, 60)
        codes: set[str] = set()
        async with client(daemon) as admin:

            async def answers() -> bool:
                try:
                    await admin(admin.system.ListTenants, system_pb2.ListTenantsRequest())
                except grpc.aio.AioRpcError as error:
                    codes.add(error.code().name)
                    return False
                return True

            await eventually(answers, 60)
        assert codes <= {"UNAVAILABLE"}

        async def healthy() -> bool:
            return (await fetched(f"{daemon.http}/healthz"))[0] == 200

        await eventually(healthy, 60)
        assert daemon.stop() == 0


async def test_drained_it_takes_up_nothing_and_says_so_but_lives(data_dir: Path) -> None:
    with running(data_dir) as daemon:
        async with client(daemon) as admin:
            drained = await admin(admin.system.Drain, system_pb2.DrainRequest())
            assert drained.runs_left == 0
            assert (await admin(admin.system.GetStatus, system_pb2.GetStatusRequest())).draining
            health: Any = health_pb2_grpc.HealthStub(admin.channel)

            async def told() -> bool:
                answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
                return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)

            await eventually(told)
        assert (await fetched(f"{daemon.http}/readyz"))[0] == 503
        assert (await fetched(f"{daemon.http}/livez"))[0] == 200
        assert (await fetched(f"{daemon.http}/healthz"))[1]["draining"] is True
        assert daemon.process.poll() is None
        assert daemon.stop() == 0


async def test_asked_to_end_in_mid_run_it_stops_at_a_safe_point_and_goes_on_after_a_start(
    data_dir: Path, tmp_path: Path
) -> None:
    people = [(str(number), f"Ann {number}", "Bonn") for number in range(1, 2001)]
    with running(data_dir, window="20") as daemon:
        async with client(daemon) as admin:
            tenant = await admin.tenant()
            a, b = folders(tmp_path / "files", people)
            await admin.connection(tenant, "a", a)
            await admin.connection(tenant, "b", b)
            link = await admin.link(tenant)
            get = links_pb2.GetLinkRequest(link=link.id)

            async def working() -> bool:
                return bool(0 < (await admin(admin.links.GetLink, get)).bindings < len(people))

            await eventually(working, 60)
        assert daemon.stop() == 0
        lines = {line["action"]: line for line in daemon.lines()}
        assert lines["run.ended"]["outcome"] == "cancelled"
        assert lines["daemon.drained"]["runs_left"] == 0
    with running(data_dir) as again:
        async with client(again) as admin:

            async def settled() -> bool:
                return bool((await admin(admin.links.GetLink, get)).bindings == len(people))

            await eventually(settled, 60)
        names = [line.split(";")[1] for line in (b / "kunden.csv").read_text().splitlines()[1:]]
        assert sorted(names) == sorted(name for _, name, _ in people)


# ------------------------------------------------------------------------------------------- another's database


@pytest.fixture
async def external(tmp_path: Path) -> AsyncIterator[str]:
    """The DSN of a PostgreSQL that is not the daemon's own."""
    os.chmod(tmp_path, 0o755)
    async with EmbeddedPostgres(tmp_path / "elsewhere", settings=SMALL) as server:
        yield server.dsn


async def test_another_database_is_used_and_a_newer_one_refused(data_dir: Path, external: str) -> None:
    with running(data_dir, database_url=external) as daemon:
        assert daemon.ready["store"] == "external"
        assert not (data_dir / "postgres").exists()
        async with client(daemon) as admin:
            status = await admin(admin.system.GetStatus, system_pb2.GetStatusRequest())
            assert status.store == "external"
        assert daemon.stop() == 0
    connection = await asyncpg.connect(external)
    await connection.execute("insert into schema_migrations (version, name) values (9999, 'future')")
    await connection.close()
    found = await anyio.to_thread.run_sync(lambda: started(data_dir, database_url=external))
    assert found.returncode == 1
    assert "schema version 9999" in found.stderr and "newer tandemd" in found.stderr


async def test_a_database_that_is_not_there_is_named_with_a_way_out(
    data_dir: Path, external: str, free_port: int
) -> None:
    nowhere = f"postgresql://ann:hush-hush@127.0.0.1:{free_port}/shop"
    found = await anyio.to_thread.run_sync(lambda: started(data_dir, database_url=nowhere))
    assert found.returncode == 1
    assert f"127.0.0.1:{free_port}/shop" in found.stderr and "TANDEM_DATABASE_URL" in found.stderr
    assert "hush" not in found.stderr
    missing = external.replace("/tandem?", "/missing?")
    found = await anyio.to_thread.run_sync(lambda: started(data_dir, database_url=missing))
    assert found.returncode == 1 and "createdb" in found.stderr


# -------------------------------------------------------------------------------------------------- side tasks


async def test_a_dead_side_task_ends_the_daemon(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def boom(_: Any) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr("daemon.serve.RootActor.run", boom)
    config = Config(data_dir=data_dir, listen="127.0.0.1:0", http_listen="127.0.0.1:0")
    with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(60):
        await serve.Daemon(config).run()
    assert caught.group_contains(serve.SideTaskDied, match="engine.*no more")


async def test_a_side_task_that_ends_by_itself_ends_the_daemon(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def done(_: Any) -> None:
        return

    monkeypatch.setattr("daemon.serve.ConnectionNotes.keep", done)
    config = Config(data_dir=data_dir, listen="127.0.0.1:0", http_listen="127.0.0.1:0")
    with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(60):
        await serve.Daemon(config).run()
    assert caught.group_contains(serve.SideTaskDied, match="notes ended")


# -------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daemon.log.configure", lambda *_: None)
    return monkeypatch


async def _unused(_: Config, __: int | None) -> None:
    raise AssertionError("it must not get as far as this")


def test_a_wrong_configuration_is_told_whole_and_starts_nothing(
    plain_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain_environment.setenv("TANDEM_LISTEN", "0.0.0.0:1")
    plain_environment.setenv("TANDEM_WINDOW", "none")
    assert command.run(_unused, "1", []) == command.EXIT_CONFIG
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and all(line.startswith("tandemd: TANDEM_") for line in told)


def test_check_config_shows_what_holds_without_secrets(
    plain_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain_environment.setenv("TANDEM_SECRET_KEY", "hush-hush")
    plain_environment.setenv("TANDEM_WINDO", "7")
    assert command.run(_unused, "1", ["--check-config"]) == 0
    told = capsys.readouterr()
    assert (
        "listen = 127.0.0.1:7443" in told.out and "secret_key = (set)" in told.out and "hush" not in told.out
    )
    assert "TANDEM_WINDOW meant?" in told.err


def test_help_lists_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.run(_unused, "1", ["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert all(f"TANDEM_{name.upper()}" in told for name in Config.__struct_fields__)
    assert "127.0.0.1:7443" in told and "78 wrong configuration" in told


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize(
    "error, status",
    [
        (StartError("no room", "make room"), 1),
        (ExceptionGroup("group", [ExceptionGroup("inner", [StartError("no room", "make room")])]), 1),
        (RuntimeError("boom"), 1),
        (None, 0),
    ],
)
def test_how_it_ended_is_the_exit_status(
    error: Exception | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def serving(_: Config, __: int | None) -> None:
        if error is not None:
            raise error

    assert command.run(serving, "1", []) == status
    if not isinstance(error, RuntimeError | None):
        assert capsys.readouterr().err.endswith("tandemd: no room\nhint: make room\n")


# ---------------------------------------------------------------------------------------------------------- TLS


class Authority:
    """A certificate authority of the test, and what it signs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        self.cert = self._sign(self._name, self._key, ca=True)
        self.file = self._written("ca.pem", self.cert)

    def issued(self, name: str) -> tuple[Path, Path]:
        """Files of a certificate for 127.0.0.1 and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self._folder / f"{name}.key").write_bytes(pem)
        return self._written(f"{name}.pem", self._sign(subject, key, ca=False)), self._folder / f"{name}.key"

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _written(self, name: str, cert: x509.Certificate) -> Path:
        path = self._folder / name
        path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        return path


@asynccontextmanager
async def secure(
    daemon: DaemonProcess, authority: Authority, pair: tuple[Path, Path] | None
) -> AsyncIterator[Client]:
    credentials = grpc.ssl_channel_credentials(
        authority.file.read_bytes(),
        pair[1].read_bytes() if pair else None,
        pair[0].read_bytes() if pair else None,
    )
    async with grpc.aio.secure_channel(daemon.grpc, credentials) as channel:
        yield Client(channel, daemon.token)


async def test_tls_with_client_certificates(data_dir: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    cert, key = authority.issued("server")
    settings = {"tls_cert": str(cert), "tls_key": str(key), "tls_client_ca": str(authority.file)}
    with running(data_dir, **settings) as daemon:
        assert daemon.ready["tls"] is True
        async with secure(daemon, authority, authority.issued("somebody")) as known:
            await known(known.system.GetStatus, system_pb2.GetStatusRequest())
            refused = await known.as_token("").refused(known.system.GetStatus, system_pb2.GetStatusRequest())
            assert refused.code == "UNAUTHENTICATED"
        async with secure(daemon, authority, None) as unknown:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unknown(unknown.system.GetStatus, system_pb2.GetStatusRequest())
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        async with client(daemon) as plain:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await plain(plain.system.GetStatus, system_pb2.GetStatusRequest())
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_without_its_key_is_a_fault_of_the_configuration(
    data_dir: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "pki")
    cert, (_, other) = authority.issued("server")[0], authority.issued("other")
    found = started(data_dir, tls_cert=str(cert), tls_key=str(other))
    assert found.returncode == 78
    assert "TANDEM_TLS_CERT" in found.stderr and "no certificate with its key" in found.stderr
