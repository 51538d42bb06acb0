/** Containers of a Docker Engine, over its socket: those of the kubelet, which dockershim and cri-dockerd label, and others. */
import { request } from 'node:http';
import { failure } from '../base/errors.ts';
import type { OldRuntime, RunningPod } from './outside.ts';

interface Container {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

const podUid = 'io.kubernetes.pod.uid';
const stopGraceSeconds = 30;
const longestAnswer = 64 << 20;

/** Without a Docker there are no containers. */
export function dockerContainers(socket: string): OldRuntime {
  const running = async (): Promise<Container[]> => JSON.parse((await ask(socket, 'GET', '/containers/json')) ?? '[]') as Container[];
  const containersOf = async (uid: string): Promise<Container[]> => (await running()).filter(({ Labels }) => Labels[podUid] === uid);
  return {
    async pods() {
      const pods = new Map<string, RunningPod>();
      for (const { Labels } of await running()) {
        const uid = Labels[podUid];
        if (uid !== undefined) pods.set(uid, { id: uid, uid, name: `${Labels['io.kubernetes.pod.namespace']}/${Labels['io.kubernetes.pod.name']}` });
      }
      return [...pods.values()];
    },
    /** The container that holds the pod's network ends last. */
    async stopPod(uid) {
      const found = await containersOf(uid);
      const isSandbox = ({ Labels }: Container): boolean => Labels['io.kubernetes.docker.type'] === 'podsandbox';
      await Promise.all(found.filter((one) => !isSandbox(one)).map(({ Id }) => stop(socket, Id, stopGraceSeconds)));
      await Promise.all(found.filter(isSandbox).map(({ Id }) => stop(socket, Id, 0)));
    },
    strangers: async () => (await running()).filter(({ Labels }) => Labels[podUid] === undefined).map(({ Names, Id }) => Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12)),
  };
}

async function stop(socket: string, id: string, graceSeconds: number): Promise<void> {
  await ask(socket, 'POST', `/containers/${id}/stop?t=${graceSeconds}`);
}

/** The body of the answer; undefined when there is nobody at the socket. A refusal: failed-precondition. */
async function ask(socketPath: string, method: string, path: string): Promise<string | undefined> {
  return await new Promise((resolve, reject) => {
    const refused = (why: string): void => reject(failure('failed-precondition', { act: `ask Docker: ${method}`, object: path, why }));
    const asked = request({ socketPath, method, path, timeout: (stopGraceSeconds + 30) * 1000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > longestAnswer) asked.destroy(new Error('the answer is too long'));
      }).on('end', () => {
        const code = answer.statusCode ?? 500;
        if (code < 400 || code === 404) resolve(code === 404 ? '' : body);
        else refused(`${code}: ${body.trim().slice(0, 500)}`);
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('it does not answer')));
    asked.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? resolve(undefined) : refused(error.message)));
    asked.end();
  });
}
