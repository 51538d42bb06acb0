/** The image of infra containers. It is never pulled: it holds one static program of this node. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { failure, isKind } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import { fileOf, tarStream } from '../../base/tar-stream.ts';
import type { EngineApi } from '../api/engine-api.ts';
import { jsonLines } from '../api/read-lines.ts';

/** The repository of these images: never at a registry, as its host name cannot be one. */
export const infraRepository = 'gantry.internal/pause';

const importing = new SingleFlight<string>();

/** The name of the image, which is made if the Engine has it not: one that somebody removed comes back with the next pod. */
export async function ensureInfraImage(api: EngineApi, pausePath: string): Promise<string> {
  const program = await readProgram(pausePath);
  const name = `${infraRepository}:${createHash('sha256').update(program).digest('hex').slice(0, 16)}`;
  const act = { act: 'make image of infra containers', object: name };
  try {
    await api.call<unknown>({ act, path: `/images/${name}/json` });
    return name;
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
  return await importing.run(name, () => importImage(api, name, program));
}

async function importImage(api: EngineApi, name: string, program: Buffer): Promise<string> {
  const [repo, tag] = name.split(':');
  const act = { act: 'make image of infra containers', object: name };
  const bytes = Readable.from(tarStream([{ ...fileOf('pause', program), mode: 0o755 }]));
  const answer = await api.stream({
    act, method: 'POST', path: '/images/create', bytes,
    query: { fromSrc: '-', repo, tag, changes: 'ENTRYPOINT ["/pause","-P"]' },
    headers: { 'content-type': 'application/x-tar' },
  });
  for await (const { error } of jsonLines<{ error?: string }>(answer)) {
    if (error !== undefined) throw failure('internal', { ...act, why: `the Docker Engine says: ${error}` });
  }
  return name;
}

async function readProgram(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read pause program', object: path, why: 'infra containers need it: install catatonit, or correct runtime.pause', cause });
  }
}
