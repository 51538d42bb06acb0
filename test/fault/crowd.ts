/**
 * Pods that stand while daemons come and go. Every container counts aloud until it is told to end, and then ends with a code of its own: so
 * it is known without any daemon which of them live, which code each has left, and whether a line is missing from its log.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { someAtOnce } from '../../src/base/some-at-once.ts';
import { ContainerState, Mount, PodSandboxState } from '../../src/gen/cri.ts';
import type { CriClient } from '../support/cri-client.ts';
import { message } from '../support/cri-messages.ts';
import { eventually, logLines, type Workload, type WorkloadPod } from '../support/workload.ts';
import type { Random } from './random.ts';

interface Member {
  readonly name: string;
  readonly pod: WorkloadPod;
  readonly id: string;
  readonly exitCode: number;
  readonly pid: number;
  /** When its process started: with the pid, its identity. */
  readonly startTime: string;
  readonly log: string;
  /** Where its log was before, oldest first. */
  readonly putAside: string[];
  dismissed: boolean;
}

/** What became of containers that no daemon may lose. */
export interface Losses {
  /** Containers that ended and were not told to. */
  readonly died: string[];
  readonly exitCodes: string[];
  readonly logLines: string[];
}

export class Crowd {
  readonly #node: Workload;
  /** In here a file with a container's name tells it to end. */
  readonly #words: string;
  readonly #losses: Losses = { died: [], exitCodes: [], logLines: [] };
  #pods: WorkloadPod[] = [];
  #members: Member[] = [];
  #joined = 0;

  private constructor(node: Workload) {
    this.#node = node;
    this.#words = path.join(node.daemon.paths.dir, 'words');
    mkdirSync(this.#words);
  }

  /** So many pods, among which so many containers are dealt; all of them are running when this resolves. */
  static async gather(node: Workload, { pods, containers }: { pods: number; containers: number }): Promise<Crowd> {
    const crowd = new Crowd(node);
    await someAtOnce(Array.from({ length: pods }), async () => { crowd.#pods.push(await node.runPod()); });
    await someAtOnce(Array.from({ length: containers }).keys(), (n) => crowd.#join(crowd.#pods[n % pods]!));
    return crowd;
  }

  /** How many containers there have been. */
  get joined(): number {
    return this.#joined;
  }

  /** What is known to be lost so far; empty is as it should be. */
  get losses(): Losses {
    return this.#losses;
  }

  async #join(pod: WorkloadPod): Promise<void> {
    const nth = ++this.#joined;
    const name = `member-${nth}`;
    const exitCode = 1 + (nth % 120);
    // It waits without a process of its own: hundreds of `sleep` every second would be most of the load.
    const script = `mkfifo /wait; exec 3<>/wait; i=0; until [ -e /words/${name} ]; do i=$((i + 1)); echo $i; read -t 0.5 -u 3 _; done; echo last; exit ${exitCode}`;
    const words = message(Mount, { hostPath: this.#words, containerPath: '/words', readonly: true });
    const id = await this.#node.runContainer(pod, { name, script, config: { mounts: [words] } });
    const { status, info } = await this.#node.client.containerStatus({ containerId: id, verbose: true });
    const { pid } = JSON.parse(info['info']!) as { pid: number };
    this.#members.push({ name, pod, id, exitCode, pid, startTime: startTimeOf(pid)!, log: status!.logPath, putAside: [], dismissed: false });
  }

  #some(count: number, random: Random): Member[] {
    const staying = this.#members.filter(({ dismissed }) => !dismissed);
    return Array.from({ length: Math.min(count, staying.length) }, () => staying.splice(random.below(staying.length), 1)[0]!);
  }

  /** Tells some containers to end, and waits until their processes have. No daemon is needed for that. */
  async dismiss(count: number, random: Random): Promise<void> {
    const leaving = this.#some(count, random);
    for (const member of leaving) {
      member.dismissed = true;
      writeFileSync(path.join(this.#words, member.name), '');
    }
    await eventually(() => assert.deepEqual(leaving.filter(lives).map(({ name }) => name), [], 'told to end and still there'));
  }

  /** Puts the logs of some containers aside, as the kubelet does with large ones: what is written from then on goes into a new file. */
  async putLogsAside(count: number, random: Random): Promise<void> {
    for (const member of this.#some(count, random)) {
      const aside = `${member.log}.${member.putAside.length}`;
      renameSync(member.log, aside);
      member.putAside.push(aside);
      await this.#node.client.reopenContainerLog({ containerId: member.id });
    }
  }

  /** What the daemon's lists say and is not so. Lists are all that is asked for, once each. */
  async untruths(client: CriClient): Promise<string[]> {
    const [{ items }, { containers }] = await Promise.all([client.listPodSandbox(), client.listContainers()]);
    const ready = new Set(items.filter(({ state }) => state === PodSandboxState.SANDBOX_READY).map(({ id }) => id));
    const states = new Map(containers.map(({ id, state }) => [id, state]));
    return [
      ...this.#pods.filter(({ id }) => !ready.has(id)).map(({ id }) => `pod ${id} is not ready or not listed`),
      ...this.#members.flatMap((member) => {
        const [wanted, listed] = [lives(member) ? ContainerState.CONTAINER_RUNNING : ContainerState.CONTAINER_EXITED, states.get(member.id)];
        return listed === wanted ? [] : [`container ${member.name} is ${wordOf(wanted)} and listed as ${wordOf(listed)}`];
      }),
    ];
  }

  /** Looks what was lost, and lets others join in place of those that have ended. */
  async closeRanks(): Promise<void> {
    const gone = this.#members.filter((member) => !lives(member));
    this.#losses.died.push(...gone.filter(({ dismissed }) => !dismissed).map(({ name }) => name));
    this.#members = this.#members.filter((member) => !gone.includes(member));
    await someAtOnce(gone, async (member) => {
      await this.#examine(member);
      await this.#node.client.removeContainer({ containerId: member.id });
      await this.#join(member.pod);
    });
  }

  /** Tells all to end, and looks what was lost. The pods stay. */
  async disperse(random: Random): Promise<void> {
    await this.dismiss(Infinity, random);
    await someAtOnce(this.#members.splice(0), (member) => this.#examine(member));
  }

  /** Of one whose process has ended. */
  async #examine({ name, id, exitCode, log, putAside }: Member): Promise<void> {
    const { exitCode: found, reason } = await this.#node.ended(id);
    if (found !== exitCode) this.#losses.exitCodes.push(`${name} ended with ${exitCode}, and is said to have ended with ${found} (${reason})`);
    const lines = [...putAside, log].flatMap((file) => logLines(file)).map(({ text }) => text);
    const whole = lines.map((_, index) => (index === lines.length - 1 ? 'last' : String(index + 1)));
    const broken = whole.findIndex((line, index) => line !== lines[index]);
    if (broken !== -1 || lines.length === 0) this.#losses.logLines.push(`line ${broken + 1} of ${name} is ${JSON.stringify(lines[broken])}`);
  }
}

function lives({ pid, startTime }: Member): boolean {
  return startTimeOf(pid) === startTime;
}

/** Undefined when there is no such process, or only what its parent has not taken note of yet. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function wordOf(state: ContainerState | undefined): string {
  return Object.entries(ContainerState).find(([, value]) => value === state)?.[0].replace('CONTAINER_', '').toLowerCase() ?? 'absent';
}
