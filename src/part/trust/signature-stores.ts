/**
 * Where the signatures of an image are, as the YAML files of a `registries.d` folder say (containers-registries.d(5)): in a lookaside store, and
 * as attachments beside the image in its own repository.
 */
import { join } from 'node:path';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import type { ImageName } from './image-name.ts';
import { scopesOf } from './image-scopes.ts';
import { readTrustFile } from './read-trust-file.ts';

export interface SignatureStores {
  /** Of this image's repository, without a slash at the end, a ? or a #: a manifest's signatures are below `<url>@sha256=<hex>`. */
  readonly lookaside: URL;
  /** The file that says so; undefined: the usual place of all tools. */
  readonly lookasideFrom: string | undefined;
  readonly attachments: boolean;
}

/** One configuration section; what it does not mention is undefined. */
interface StoreSection {
  readonly file: string;
  readonly lookaside: string | undefined;
  readonly attachments: boolean | undefined;
}

const usualLookaside = 'file:///var/lib/containers/sigstore';

/**
 * Reads the folder and finds what counts for an image: of each setting, the narrowest scope that has it. A folder that is not there says
 * nothing. Errors: failed-precondition for a file that can't be read or understood, or a scope that two files describe.
 */
export async function findSignatureStores(folder: string, image: ImageName): Promise<SignatureStores> {
  const sections = await readSections(folder);
  const fitting = [...scopesOf(image), ''].flatMap((scope) => sections.get(scope) ?? []);
  const chosen = fitting.find(({ lookaside }) => lookaside !== undefined);
  return {
    lookaside: storeUrl(chosen?.lookaside ?? usualLookaside, { file: chosen?.file ?? '', image }),
    lookasideFrom: chosen?.file,
    attachments: fitting.find(({ attachments }) => attachments !== undefined)?.attachments ?? false,
  };
}

function storeUrl(base: string, { file, image }: { file: string; image: ImageName }): URL {
  const url = URL.parse(base);
  if (url === null || !['file:', 'http:', 'https:'].includes(url.protocol)) {
    throw failure('failed-precondition', { act: 'read signature stores', object: file, why: `${JSON.stringify(base)} is not a file:, http: or https: address` });
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw failure('failed-precondition', { act: 'read signature stores', object: file, why: `the address at ${url.host} must have no credentials, ? or #` });
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${image.name.slice(image.name.indexOf('/') + 1)}`;
  return url;
}

/** Sections by scope; that of `default-docker` has the empty one. */
async function readSections(folder: string): Promise<ReadonlyMap<string, StoreSection>> {
  const sections = new Map<string, StoreSection>();
  for (const file of await yamlFiles(folder)) {
    try {
      for (const [scope, section] of await readFileSections(file)) {
        const before = sections.get(scope);
        if (before !== undefined) throw new Error(`${scope === '' ? 'default-docker' : scope} is described in ${before.file} too`);
        sections.set(scope, section);
      }
    } catch (cause) {
      throw failure('failed-precondition', { act: 'read signature stores', object: file, why: messageOf(cause), cause });
    }
  }
  return sections;
}

async function yamlFiles(folder: string): Promise<string[]> {
  try {
    return (await fencedFiles.list(folder)).filter((name) => name.endsWith('.yaml')).map((name) => join(folder, name));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw failure('failed-precondition', { act: 'read signature stores', object: folder, cause });
  }
}

async function readFileSections(file: string): Promise<[string, StoreSection][]> {
  const { parse } = await import('yaml'); // rarely needed, and then for small files only
  const document = new ForeignValue(parse((await readTrustFile(file)).toString('utf8'), { logLevel: 'error', prettyErrors: false })).members();
  const scopes = document.get('docker').members();
  return [
    ...(document.get('default-docker').absent ? [] : [['', readSection(document.get('default-docker'), file)] as [string, StoreSection]]),
    ...scopes.names.map((scope): [string, StoreSection] => [scope, readSection(scopes.get(scope), file)]),
  ];
}

function readSection(value: ForeignValue, file: string): StoreSection {
  const fields = value.members();
  const [lookaside, older, attachments] = [fields.get('lookaside'), fields.get('sigstore'), fields.get('use-sigstore-attachments')];
  return {
    file,
    lookaside: lookaside.textOr('') || older.textOr('') || undefined, // the older name says the same
    attachments: attachments.absent ? undefined : attachments.flag(),
  };
}
