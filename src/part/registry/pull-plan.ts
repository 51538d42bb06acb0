/**
 * Whom to ask for an image, in which order, how, and with what credentials: the one place where registries.conf, containerd's
 * certs.d, Docker's daemon.json, auth files and the kubelet's own credentials meet. Everything is read afresh for each plan, so that a change
 * counts from the next pull on. `gantry registry explain` prints a plan.
 */
import { failure } from '../../base/errors.ts';
import type { AuthConfig } from '../../gen/cri.ts';
import { findInAuthFiles } from './auth-file.ts';
import { credentialsFor, isSameRegistry } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { isListedInsecure, readDockerDaemonJson } from './docker-daemon-json.ts';
import type { DockerRegistries } from './docker-daemon-json.ts';
import { findHostFolder } from './host-folder.ts';
import type { HostFolder } from './host-folder.ts';
import { insecureRule, usualHostRules } from './host-rules.ts';
import type { HostRule, HostRules } from './host-rules.ts';
import type { ListedHost } from './hosts-toml.ts';
import { nameOf } from './reference.ts';
import type { ImageReference } from './reference.ts';
import { findEntry, noRegistriesConf, readRegistriesConf, relocate } from './registries-conf.ts';
import type { MirrorEntry, RegistriesConf, RegistryEntry } from './registries-conf.ts';

/** Where administrators say things about registries. A file that isn't there says nothing. */
export interface RegistryFiles {
  /** With its drop-in folder `<path>.d`. Undefined: none. */
  readonly registriesConf?: string | undefined;
  /** `certs.d` directories, in order of preference. */
  readonly hostsDirs?: readonly string[];
  readonly dockerDaemonJson?: string | undefined;
  /** Docker's and Podman's credential files, in order of preference. */
  readonly authFiles?: readonly string[];
  /** For hosts that no file says anything about. */
  readonly hostRules?: HostRules;
}

/** Where a repository is, under one of its addresses. */
export interface Endpoint {
  /** The registry's name in credentials and messages. */
  readonly host: string;
  /** The host that answers for it. */
  readonly address: string;
  readonly repository: string;
  readonly rule: HostRule;
  /** Path of the registry API; default `/v2`. */
  readonly apiPath?: string;
  /** Tells a mirror whose image is meant (containerd's `ns` parameter). */
  readonly namespace?: string;
}

/** One host that may have the image. */
export interface PullSource {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  /** Where the credentials are from, for people; empty when there are none. */
  readonly credentialsFrom: string;
  /** Why it is asked, for people. */
  readonly because: string;
  /** What it may be asked for. */
  readonly serves: { readonly tags: boolean; readonly digests: boolean };
}

export interface PullPlan {
  readonly reference: ImageReference;
  /** At least one, in the order to ask. */
  readonly sources: readonly PullSource[];
}

/** What all plans of one request are made with. */
export interface RegistryView {
  readonly files: RegistryFiles;
  readonly conf: RegistriesConf;
  readonly docker: DockerRegistries;
}

/** Reads what is the same for every registry. Errors: failed-precondition for a file that can't be understood. */
export async function readRegistryView(files: RegistryFiles): Promise<RegistryView> {
  const [conf, docker] = await Promise.all([
    files.registriesConf === undefined ? noRegistriesConf : readRegistriesConf(files.registriesConf),
    files.dockerDaemonJson === undefined ? { mirrors: [], insecure: [] } : readDockerDaemonJson(files.dockerDaemonJson),
  ]);
  return { files, conf, docker };
}

/**
 * The plan for one complete reference. The first file that knows mirrors of the registry decides about them: registries.conf, then
 * hosts.toml, then daemon.json (Docker Hub only). A blocked registry: failed-precondition.
 */
export async function planPull(reference: ImageReference, auth: AuthConfig | undefined, view: RegistryView): Promise<PullPlan> {
  const name = nameOf(reference);
  const entry = findEntry(view.conf.entries, name);
  if (entry?.blocked === true) throw failure('failed-precondition', { act: 'pull image', object: name, why: `registry ${entry.prefix} is blocked in ${entry.file}` });

  const own = locate(entry === undefined ? name : relocate(entry, entry.location, name), { name, entry });
  const folder = await findHostFolder(view.files.hostsDirs ?? [], own.host);
  const mirrors = await mirrorsOf(view, { entry, name, own, folder });
  const self = await selfOf(view, { entry, own, folder });
  const isListed = self !== undefined && mirrors.some((place) => place.serves.tags && place.serves.digests && isSamePlace(place, self));
  const places = [...mirrors, ...(self === undefined || isListed ? [] : [self])];
  if (places.length === 0) throw failure('failed-precondition', { act: 'pull image', object: name, why: `${folder?.path} lists no host that may be asked` });
  return { reference, sources: await Promise.all(places.map((place) => withCredentials(view, { place, auth, reference }))) };
}

function isSamePlace({ endpoint: a }: Place, { endpoint: b }: Place): boolean {
  return a.address === b.address && a.repository === b.repository && (a.apiPath ?? '/v2') === (b.apiPath ?? '/v2');
}

/** The rule for a host that a registry redirects to or that stands in no plan. */
export async function ruleFor(view: RegistryView, host: string): Promise<HostRule> {
  const entry = findEntry(view.conf.entries, host);
  if (entry?.insecure === true || isListedInsecure(view.docker.insecure, host)) return insecureRule;
  const folder = await findHostFolder(view.files.hostsDirs ?? [], host);
  const rule = await (view.files.hostRules ?? usualHostRules)(host);
  return folder === undefined ? rule : withCertificates(rule, folder.certificates);
}

/** Whoever put certificates there means TLS, and with an authority among them a server that it vouches for. */
function withCertificates(rule: HostRule, certificates: HostFolder['certificates']): HostRule {
  const { caFiles, clientCertificates } = certificates;
  if (caFiles === undefined && clientCertificates === undefined) return rule;
  return { ...rule, ...certificates, schemes: ['https'], ...(caFiles === undefined ? {} : { skipVerify: false }) };
}

/** A source before its credentials. */
interface Place extends Omit<PullSource, 'credentials' | 'credentialsFrom'> {
  /** It is the registry that the image names, not a mirror of it. */
  readonly isRegistry: boolean;
}

interface Located {
  readonly host: string;
  readonly repository: string;
}

interface Surroundings {
  readonly entry: RegistryEntry | undefined;
  readonly name: string;
  /** Where the registry itself is. */
  readonly own: Located;
  readonly folder: HostFolder | undefined;
}

function locate(located: string, { name, entry }: { name: string; entry: RegistryEntry | undefined }): Located {
  const slash = located.indexOf('/');
  if (slash < 1) throw failure('failed-precondition', { act: 'pull image', object: name, why: `${entry?.file} sends it to ${JSON.stringify(located)}, which has no repository` });
  return { host: located.slice(0, slash), repository: located.slice(slash + 1) };
}

async function mirrorsOf(view: RegistryView, around: Surroundings): Promise<Place[]> {
  const { entry, own, folder } = around;
  if (entry !== undefined && entry.mirrors.length > 0) return await Promise.all(entry.mirrors.map((mirror) => mirrorPlace(view, { ...around, entry }, mirror)));
  if (folder?.hostsFile !== undefined && folder.hostsFile.hosts.length > 0) {
    return folder.hostsFile.hosts.flatMap((host) => listedPlace(host, own, `host in ${folder.path}/hosts.toml`));
  }
  if (own.host === 'docker.io') return await Promise.all(view.docker.mirrors.map((mirror) => dockerMirror(view, mirror, own)));
  return [];
}

async function mirrorPlace(view: RegistryView, { entry, name }: Surroundings & { entry: RegistryEntry }, mirror: MirrorEntry): Promise<Place> {
  const { host, repository } = locate(relocate(entry, mirror.location, name), { name, entry });
  return {
    endpoint: { host, address: addressOf(host), repository, rule: mirror.insecure ? insecureRule : await ruleFor(view, host) },
    because: `mirror of ${entry.prefix} in ${entry.file}`,
    serves: { tags: mirror.pulls !== 'digest-only', digests: mirror.pulls !== 'tag-only' },
    isRegistry: isSameRegistry(host, name.slice(0, name.indexOf('/'))),
  };
}

/** A host that may be asked for nothing is no source. */
function listedPlace(listed: ListedHost, own: Located, because: string): Place[] {
  if (!listed.pulls && !listed.resolves) return [];
  const isRegistry = isSameRegistry(listed.address, own.host);
  return [{
    endpoint: { host: listed.address, address: addressOf(listed.address), repository: own.repository, rule: listed.rule, apiPath: listed.apiPath, ...(isRegistry ? {} : { namespace: own.host }) },
    because,
    serves: { tags: listed.resolves, digests: listed.pulls },
    isRegistry,
  }];
}

async function dockerMirror(view: RegistryView, mirror: string, own: Located): Promise<Place> {
  const url = URL.parse(mirror);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw failure('failed-precondition', { act: 'read Docker configuration', object: view.files.dockerDaemonJson ?? '', why: `registry-mirrors: ${JSON.stringify(mirror)} is not a web address` });
  }
  const rule = await ruleFor(view, url.host);
  return {
    endpoint: { host: url.host, address: url.host, repository: own.repository, rule: { ...rule, schemes: [url.protocol === 'http:' ? 'http' : 'https'] } },
    because: `registry-mirrors in ${view.files.dockerDaemonJson}`,
    serves: { tags: true, digests: true },
    isRegistry: false,
  };
}

/** The registry itself comes last; a hosts.toml may name another host in its place. */
async function selfOf(view: RegistryView, { entry, own, folder }: Pick<Surroundings, 'entry' | 'own' | 'folder'>): Promise<Place | undefined> {
  const hostsFile = folder?.hostsFile;
  if (hostsFile?.server !== undefined) {
    const [place] = listedPlace(hostsFile.server, own, `server in ${folder?.path}/hosts.toml`);
    return place === undefined ? undefined : { ...place, isRegistry: true };
  }
  const rule = entry?.insecure === true ? insecureRule : await ruleFor(view, own.host);
  return {
    endpoint: { ...own, address: addressOf(own.host), rule: { ...rule, ...hostsFile?.serverRule } },
    because: entry === undefined || entry.location === '' || entry.location === entry.prefix ? 'the registry itself' : `location of ${entry.prefix} in ${entry.file}`,
    serves: { tags: true, digests: true },
    isRegistry: true,
  };
}

/**
 * The kubelet's credentials are for the registry that the image names. A mirror gets them only if they say that they are for it: whoever
 * runs a mirror is not whom the pod's secret was given to.
 */
async function withCredentials(view: RegistryView, { place, auth, reference }: { place: Place; auth: AuthConfig | undefined; reference: ImageReference }): Promise<PullSource> {
  const { isRegistry, ...source } = place;
  const { host, repository } = source.endpoint;
  const saysWhose = (auth?.serverAddress ?? '') !== '';
  const names = isRegistry ? [host, reference.host] : saysWhose ? [host] : [];
  const sent = names.map((name) => credentialsFor(name, auth)).find(({ kind }) => kind !== 'anonymous');
  if (sent !== undefined) return { ...source, credentials: sent, credentialsFrom: 'the caller (imagePullSecrets)' };
  const found = await findInAuthFiles(view.files.authFiles ?? [], host, repository);
  return { ...source, credentials: found?.credentials ?? { kind: 'anonymous' }, credentialsFrom: found?.source ?? '' };
}

/** Docker Hub is the one registry whose name is not its address. */
function addressOf(host: string): string {
  return host === 'docker.io' ? 'registry-1.docker.io' : host;
}
