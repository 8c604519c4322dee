"""The rooms of backups: what the configuration wants of them, and their opening."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from syncd import clock
from syncd.api import cyborg
from syncd.api import optools as console
from syncd.api.manners import CyborgManners, DaemonManners, OpToolsManners
from syncd.api.optools.conductor import Conductor
from syncd.api.records import Records
from syncd.api.server import Server
from syncd.backup import names
from syncd.backup.marking import Notes
from syncd.backup.plan import (
    Hooks,
    Mail,
    Misfire,
    Notify,
    Plan,
    Timed,
    WebHook,
)
from syncd.backup.runner import Runner
from syncd.backup.scheduler import Scheduler
from syncd.backup.service import Service
from syncd.backup_sources import registry
from syncd.config import Config, backup
from syncd.config.backup import Backup, Section
from syncd.config.telling import Hook
from syncd.config.vault_folders import ELSEWHERE, FOLDERS
from syncd.core import cron, retention
from syncd.core.errand import Command, Part
from syncd.core.job import RETRIES, Kind
from syncd.errors import ConfigError, SyncdError
from syncd.parts import Parts
from syncd.store import sealing
from syncd.store.database import Store
from syncd.store.sealing import Sealer

OWN = "records"
"""The kind of source that is our own records; where these are, we know."""

LOCAL = "syncd.vaults.described:local"
"""What makes a store of vaults that is a local folder."""

DOCUMENT = "syncd.backup_sources.couchdb.shown:databases"
"""What makes one document of a vault of databases."""

OPTOOLS = "optools"

log = structlog.get_logger(__name__)


class Copies:
    """The rooms of backups, open."""

    def __init__(
        self,
        runner: Runner,
        services: Mapping[str, Service],
        works: list[Any],
        **rooms: Any,
    ) -> None:
        self.runner = runner
        self.services = services
        self.works = works
        """What never ends by itself."""
        self._rooms = rooms

    def show(self, server: Server) -> None:
        """Have the API answer for them, and for whole machines."""
        server.add(
            [*cyborg.routes(), *console.routes()],
            backups=self.services["full"],
            incremental=self.services.get("incremental"),
            console=self.services[OPTOOLS],
            copies=self.runner,
            **self._rooms,
        )


@asynccontextmanager
async def opened(loaded: Config, parts: Parts) -> AsyncIterator[Copies]:
    """Open the rooms of backups; at the end, end what runs.

    The vault stores are looked into beside; until then nothing is done with them.
    """
    state = loaded.state.absolute()
    section = backup.read(loaded.backup)
    own = {"index": str(state / "index.db"), "rules": str(loaded.rules.absolute())}
    chosen = plans(section, state, parts.storages, loaded.secrets(), own)
    async with AsyncExitStack() as rooms:
        runner = Runner(
            parts.store,
            parts.supervisor.workers,
            state,
            chosen,
            now=clock.timestamp,
            tell=parts.news.tell,
            parallel=section.parallel,
        )
        services = {
            name: Service(plan, runner, state / "run") for name, plan in chosen.items()
        }
        # Before anything runs: evictions are judged by the policies in force.
        for service in services.values():
            await service.opened()
        await rooms.enter_async_context(runner)
        works = [runner.task]
        if any(plan.timed or plan.notify.stale for plan in chosen.values()):
            scheduler = Scheduler(runner, services, clock.timestamp)
            await rooms.enter_async_context(scheduler)
            works.append(scheduler.task)
        optools = _optools_manners(section, state, chosen[OPTOOLS])
        conductor = Conductor(
            services[OPTOOLS],
            parts.store,
            optools,
            now=clock.timestamp,
            name=lambda later: names.at(
                clock.timestamp() + later, chosen[OPTOOLS].zone
            ),
            after=_in_force(section, parts),
        )
        await rooms.enter_async_context(conductor)
        yield Copies(
            runner,
            services,
            works,
            daemon=_manners(section, state, parts.store),
            conductor=conductor,
            optools=optools,
            records=Records(parts.store, Sealer(state / sealing.FILE)),
            cyborg=CyborgManners(names=loaded.names),
        )


def plans(
    section: Backup,
    state: Path,
    entries: Mapping[str, dict[str, Any]],
    secrets: frozenset[str],
    own: Mapping[str, str],
) -> dict[str, Plan]:
    """Return what is wanted, by the name of the store.

    ``own`` are the options of a source of our own records.
    """
    return {
        name: replace(
            _plan(name, one, state, own), entries=dict(entries), secrets=sorted(secrets)
        )
        for name, one in section.sections().items()
    }


def _manners(section: Backup, state: Path, store: Store) -> DaemonManners:
    """Return how the backup daemon's API behaves."""
    said = section.daemon
    sources = [
        source
        for one in section.sections().values()
        for source in one.all_sources().values()
    ]
    return DaemonManners(
        variables=sorted({name for source in sources for name in _variables(source)}),
        publish_variables=said.publish_variables,
        full_restore=said.full_restore,
        prefixes=said.prefixes,
        namespace=said.namespace,
        read_login=said.read_login,
        # Beside the logs of jobs, so that it can be moved there; cleared at each start.
        spool=state / "jobs" / "scratch" / "uploads",
        upload_limit=said.upload_limit,
        zone=section.zone(clock.zone()),
        incremental_zone=(section.incremental or section).zone(clock.zone()),
        markers=Notes(store) if said.data_validation else None,
    )


def _variables(source: Mapping[str, Any]) -> list[str]:
    """Return the names of what whoever asks may say besides."""
    said = source.get("variables")
    some = said if isinstance(said, list) else []
    named = [name for one in some for name in ([one] if isinstance(one, str) else one)]
    kind = str(source.get("kind", ""))
    always = () if ":" in kind else registry.options(kind).asked
    return [*named, *always]


def _optools_manners(section: Backup, state: Path, plan: Plan) -> OpToolsManners:
    """Return how the API for the console of a blockchain network behaves."""
    said = section.optools or backup.OpTools()
    options = plan.sources[plan.default].options if plan.sources else {}
    known = options.get("databases", {})
    databases = known if isinstance(known, dict) else {name: name for name in known}
    return OpToolsManners(
        databases=databases,
        document=DOCUMENT,
        body=said.body,
        private_hooks=said.private_hooks,
        spool=state / "jobs" / "scratch" / "uploads",
    )


def _in_force(section: Backup, parts: Parts) -> Callable[[], Awaitable[str]]:
    """Return what puts in force what was restored: of our own records, the rules."""
    sources = (section.optools or backup.OpTools()).all_sources()
    ours = next(iter(sources.values())).get("kind") == OWN

    async def reload() -> str:
        try:
            if ours:
                await parts.rulebook.reload()
        except SyncdError as error:
            log.warning("rules not reloaded", action="restore", reason=str(error))
            return str(error)
        return ""

    return reload


def _plan(name: str, said: Section, state: Path, own: Mapping[str, str]) -> Plan:
    zone = said.zone(clock.zone())
    path = (said.store.path or state / FOLDERS[name]).absolute()
    sources = _sources(said, own)
    default = next(iter(said.all_sources()))
    calendars = {"full": said.keep, "partial": said.granular_keep}
    policies = {"full": said.eviction, "partial": said.granular_eviction}
    # What is said in counts stands in place of a policy that nobody said.
    policies = {w: None if calendars[w] else text for w, text in policies.items()}
    retries = {
        kind: replace(policy, most=said.retries.get(kind, policy.most))
        for kind, policy in RETRIES.items()
    }
    elsewhere = said.store.elsewhere
    return Plan(
        name=name,
        store=_store(said, path),
        path=path,
        elsewhere=elsewhere.absolute() if elsewhere else path / ELSEWHERE,
        sources=sources,
        sounded=_sounded(said, sources),
        default=default,
        policies={which: text for which, text in policies.items() if text},
        calendars={
            which: retention.calendar(counts, zone)
            for which, counts in calendars.items()
            if counts
        },
        zone=zone,
        timeouts=dict(said.timeout),
        retries=retries,
        hooks={kind: _hooks(said, kind) for kind in Kind},
        notify=_notify(said),
        timed=_timed(said, default, zone),
        queue=said.queue,
        grace=said.grace,
    )


def _store(said: Section, path: Path) -> Part:
    options: dict[str, Any] = {"path": str(path), "compress": said.store.compress}
    if said.store.encrypt is not None:
        options["identity"] = said.store.encrypt.identity
        options["recipients"] = list(said.store.encrypt.recipients)
    return Part(LOCAL if said.store.kind == "local" else said.store.kind, options)


def _sources(said: Section, own: Mapping[str, str]) -> dict[str, Part]:
    """Return the sources; one whose package is broken is left out, and told."""
    found = {}
    for name, source in said.all_sources().items():
        options = {key: value for key, value in source.items() if key != "kind"}
        try:
            kind = str(source["kind"])
            found[name] = _source(kind, {**own, **options} if kind == OWN else options)
        except ConfigError as error:
            log.warning(
                "source left out", action="backup", source=name, reason=str(error)
            )
    return found


def _sounded(said: Section, sources: Collection[str]) -> frozenset[str]:
    """Return which sources say of themselves that they are to be asked."""
    kinds = {name: str(one.get("kind", "")) for name, one in said.all_sources().items()}
    return frozenset(
        name
        for name in sources
        if ":" not in kinds[name] and registry.options(kinds[name]).sounded
    )


def _source(kind: str, options: dict[str, Any]) -> Part:
    if ":" in kind:
        return Part(kind, options)
    model = registry.options(kind)
    return Part(registry.reference(kind), model(**options).model_dump(mode="json"))


def _hooks(said: Section, kind: Kind) -> Hooks:
    before = [hook for hook in said.hooks.before if kind in hook.kinds]
    after = [hook for hook in said.hooks.after if kind in hook.kinds]
    return Hooks(_commands(before), _commands(after), _web(before), _web(after))


def _commands(hooks: list[Hook]) -> list[Command]:
    return [Command(list(one.command), one.timeout) for one in hooks if one.command]


def _web(hooks: list[Hook]) -> list[WebHook]:
    return [WebHook(one.url, one.secret, one.timeout) for one in hooks if one.url]


def _notify(said: Section) -> Notify:
    mail = said.notify.mail
    return Notify(
        mail=Mail(**{**mail.model_dump(), "to": list(mail.to)}) if mail else None,
        web=[WebHook(one.url, one.secret) for one in said.notify.web],
        stale=said.notify.stale,
    )


def _timed(said: Section, default: str, zone: Any) -> list[Timed]:
    misfire, jitter = Misfire(said.misfire), said.jitter
    found = []
    for number, timing in enumerate(said.schedule, 1):
        source = default if timing.source == backup.DEFAULT else timing.source
        databases = None if timing.databases is None else list(timing.databases)
        found.append(
            Timed(
                name=timing.name or f"backup {number}",
                kind=Kind.BACKUP,
                schedule=cron.parse(timing.at),
                zone=zone,
                misfire=misfire,
                jitter=jitter,
                source=source,
                databases=databases,
                unless_younger=timing.unless_younger,
            )
        )
    for kind, at in ((Kind.VERIFY, said.verify), (Kind.DRILL, said.drill)):
        for source in said.all_sources() if at else ():
            found.append(
                Timed(
                    name=f"{kind} of {source}",
                    kind=kind,
                    schedule=cron.parse(at or ""),
                    zone=zone,
                    misfire=misfire,
                    jitter=jitter,
                    source=source,
                )
            )
    return found
