import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { failure, hasCode } from '../../../base/errors.ts';
import { ContainerState } from '../../../gen/cri.ts';
import { outputFlag, type Command, type CommandContext } from '../command.ts';
import type { Arguments } from '../arguments.ts';
import { shortId } from '../human.ts';
import { say, wantsColour, type CliIo } from '../io.ts';
import { hostFacts } from '../play/host-facts.ts';
import { parseManifest, type ParsedManifest } from '../play/parse-manifest.ts';
import { manifestProblems, play as playManifest, titleOf, type PlayedPod } from '../play/play.ts';
import { PlayDirs, type PlayRoots } from '../play/play-dirs.ts';
import { takeDown } from '../play/take-down.ts';
import { Progress } from '../progress.ts';
import { messageJson } from '../proto-json.ts';
import { tableLines } from '../table.ts';
import { stateCell } from './ps.ts';

const largestManifest = 4 * 1024 * 1024;

export const play: Command = {
  name: 'play',
  summary: 'run the pods of a Kubernetes manifest on this node, without a cluster',
  usage: 'gantry play [flags] FILE|-',
  details: [
    'Runs Pod, Deployment and DaemonSet (one pod each), with ConfigMaps and Secrets from the same file. Everything is checked',
    'before anything is made; if a pod fails, all that was made is removed. Playing again what runs already changes nothing.',
    'Nobody supervises: what the kubelet does while a pod runs (probes, restarts, hooks) is named and left out.',
  ].join('\n'),
  flags: [
    { name: 'down', help: "stop and remove the file's pods, with their volumes and logs" },
    { name: 'timeout', value: 'DURATION', help: 'how long one init container may take (default 10m)' },
    { name: 'data-dir', value: 'DIR', help: 'where volumes are kept (default /var/lib/gantry-play)' },
    { name: 'log-dir', value: 'DIR', help: 'where container logs are kept (default /var/log/pods)' },
    outputFlag,
  ],
  operands: ['FILE'],
  examples: ['gantry play web.yaml', 'gantry play --down web.yaml', "sed 's/:1$/:2/' web.yaml | gantry play -"],

  async run(args, context) {
    const { io } = context;
    const parsed = parseManifest(await manifestText(args.operands[0]!, io));
    const roots = { dataDir: args.text('data-dir') ?? '/var/lib/gantry-play', logDir: args.text('log-dir') ?? '/var/log/pods' };
    return args.on('down') ? down(parsed, roots, args, context) : up(parsed, roots, args, context);
  },
};

async function up(parsed: ParsedManifest, roots: PlayRoots, args: Arguments, { io, connect }: CommandContext): Promise<number> {
  const initTimeoutMs = args.durationMs('timeout') ?? 600_000;
  const problems = await manifestProblems(parsed);
  if (problems.length > 0) throw refusal(args.operands[0]!, problems);
  const progress = new Progress(io);
  const { ignored, notes } = parsed.findings;
  for (const note of notes) progress.line(`note: ${note}`);
  if (ignored.size > 0) progress.line(`note: ignored: ${[...ignored].join(', ')} (supervision and placement stay the kubelet's and the scheduler's job)`);

  const played = await playManifest(parsed.manifest, { cri: await connect(), progress, roots, host: await hostFacts(), initTimeoutMs, signal: io.signal });
  if (args.text('output') === 'json') await say(io, JSON.stringify({ pods: played.map(playedJson) }, null, 2));
  else for (const pod of played) await printPod(io, pod);
  return 0;
}

/** Takes the pods down in reverse order. A manifest that was broken meanwhile is good enough if its pods can be named. */
async function down({ manifest, findings }: ParsedManifest, roots: PlayRoots, args: Arguments, { io, connect }: CommandContext): Promise<number> {
  if (manifest.pods.length === 0) throw refusal(args.operands[0]!, findings.problems);
  const cri = await connect();
  const done: { namespace: string; name: string; outcome: string }[] = [];
  for (const pod of manifest.pods.toReversed()) {
    const graceSeconds = pod.spec.terminationGracePeriodSeconds;
    const existed = await new Progress(io).spin(`${titleOf(pod)}: stopping`, () => takeDown({ cri, pod, dirs: new PlayDirs(roots, pod), graceSeconds }));
    const outcome = existed ? 'removed' : 'not there';
    done.push({ namespace: pod.namespace, name: pod.name, outcome });
    if (args.text('output') !== 'json') await say(io, `pod ${titleOf(pod)}: ${outcome}`);
  }
  if (args.text('output') === 'json') await say(io, JSON.stringify({ pods: done }, null, 2));
  return 0;
}

function refusal(file: string, problems: readonly string[]): Error {
  const what = problems.length === 1 ? problems[0]! : `${problems.length} problems\n${problems.map((one) => `  ${one}`).join('\n')}`;
  return failure('invalid-argument', { act: 'play', object: file === '-' ? 'the manifest from stdin' : file, why: what });
}

async function printPod(io: CliIo, pod: PlayedPod): Promise<void> {
  const address = pod.ips.length === 0 ? 'no address' : pod.ips.join(', ');
  await say(io, `pod ${titleOf(pod)}: ${pod.outcome}, ${shortId(pod.id)}, ${address}`);
  const rows = pod.containers.map(({ name, id, status, image }) => {
    const cell = stateCell(status?.state ?? ContainerState.CONTAINER_UNKNOWN);
    const exited = status?.state === ContainerState.CONTAINER_EXITED;
    return [shortId(id), name, exited ? { ...cell, text: `exited (${status.exitCode})` } : cell, image];
  });
  for (const line of tableLines(['CONTAINER ID', 'NAME', 'STATE', 'IMAGE'], rows, wantsColour(io))) await say(io, `  ${line}`);
}

function playedJson({ containers, stages, ...pod }: PlayedPod) {
  return {
    ...pod,
    containers: containers.map(({ status, ...one }) => ({ ...one, status: status ? messageJson(status) : null })),
    stages: stages.map(({ name, startMs, lengthMs }) => ({ name, startMs: Math.round(startMs), lengthMs: Math.round(lengthMs) })),
  };
}

async function manifestText(file: string, io: CliIo): Promise<string> {
  if (file === '-') return readAll(io.stdin);
  try {
    const handle = await open(file, 'r');
    return await readAll(handle.createReadStream());
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw failure('not-found', { act: 'read', object: file, why: 'there is no such file', cause: error });
    throw failure('invalid-argument', { act: 'read', object: file, cause: error });
  }
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk as Uint8Array));
    size += chunks.at(-1)!.length;
    if (size > largestManifest) throw failure('invalid-argument', { act: 'read manifest', why: 'it is larger than 4 MiB' });
  }
  return Buffer.concat(chunks).toString('utf8');
}
