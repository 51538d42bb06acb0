import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';
import { failure, hasCode } from '../../base/errors.ts';

const longestSocketPath = 107; // sun_path without its terminating zero
const probeMs = 1000;

/**
 * Makes `server` listen at a unix socket of mode 0660. A missing folder is made, readable by us alone. A socket that nobody
 * answers on is replaced; one that somebody answers on is already-exists, and anything else in the way failed-precondition.
 *
 * The socket is bound under a name of its own and renamed into place: nobody ever sees it with a wider mode, and no moment
 * passes without a socket. `act` begins the message of a refusal. Returns what takes the socket away again, unless another process has replaced it since.
 */
export async function listenAt(server: net.Server, socketPath: string, act: string): Promise<() => Promise<void>> {
  const temporary = path.join(path.dirname(socketPath), `.${randomBytes(4).toString('hex')}`);
  if (Math.max(Buffer.byteLength(socketPath), Buffer.byteLength(temporary)) > longestSocketPath) {
    const why = `a socket's path has at most ${longestSocketPath} bytes; choose a shorter one`;
    throw failure('invalid-argument', { act, object: socketPath, why });
  }
  await fs.mkdir(path.dirname(socketPath), { recursive: true, mode: 0o700 });
  await refuseWhatIsInUse(socketPath, act);

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(temporary, () => {
      server.off('error', reject);
      resolve();
    });
  });
  await fs.chmod(temporary, 0o660);
  await fs.rename(temporary, socketPath);

  const { dev, ino } = await fs.lstat(socketPath);
  return async () => {
    const now = await fs.lstat(socketPath).catch(() => undefined);
    if (now?.dev === dev && now.ino === ino) await fs.rm(socketPath, { force: true });
  };
}

async function refuseWhatIsInUse(socketPath: string, act: string): Promise<void> {
  const found = await fs.lstat(socketPath).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw failure('failed-precondition', { act, object: socketPath, cause: error });
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const why = 'there is something that is no socket; remove it or listen elsewhere';
    throw failure('failed-precondition', { act, object: socketPath, why });
  }
  if (await isAnswered(socketPath)) {
    throw failure('already-exists', { act, object: socketPath, why: 'another process answers there; stop it or listen elsewhere' });
  }
}

/** Only a refused connection proves that nobody listens: a full backlog or no answer in time counts as somebody. */
function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socketPath);
    const tell = (answered: boolean): void => {
      probe.destroy();
      resolve(answered);
    };
    probe.setTimeout(probeMs, () => tell(true));
    probe.once('connect', () => tell(true));
    probe.once('error', (error) => tell(!hasCode(error, 'ECONNREFUSED') && !hasCode(error, 'ENOENT')));
  });
}
