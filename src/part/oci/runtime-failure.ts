/** Turns what an OCI runtime (crun, runc) or conmon printed into one sentence and a kind of failure. */
import { failure } from '../../base/errors.ts';
import type { ErrorKind, GantryError } from '../../base/errors.ts';

const maxSentence = 600;

/** What the kernel says to a limit that the runtimes write to a cgroup file: crun in backquotes, runc with the whole path. */
const limitFile = String.raw`(?:writing file .|write /\S*/)(?:cpu|cpuset|memory|pids|hugetlb|io|blkio)\.[\w.]+.?: `;

/** What crun and runc say when a filesystem does not take an idmapped mount. */
const cannotMapOwners = /mount_setattr.*: (?:invalid argument|operation not supported)|idmap.*: (?:invalid argument|operation not supported)/i;

/** In this order: the first pattern that fits the sentence gives the kind; what fits none is internal. */
const kinds: readonly (readonly [RegExp, ErrorKind])[] = [
  [/error (?:executing|running) hook/i, 'failed-precondition'], // whatever the hook itself said, which may stand behind it
  [/container .*does not exist|\/status`: no such file|cannot open directory '[^']*': no such file|loading container: file does not exist/i, 'not-found'],
  [cannotMapOwners, 'failed-precondition'],
  [/already exists|container with (the )?given id/i, 'already-exists'],
  [/no space left|cannot allocate memory|resource temporarily unavailable|too many open files|quota exceeded/i, 'resource-exhausted'],
  [new RegExp(`${limitFile}(?:invalid argument|numerical result out of range)|(?:minimum|maximum) allowed cpu-shares`, 'i'), 'invalid-argument'],
  [new RegExp(`${limitFile}device or resource busy|unable to set memory limit to`, 'i'), 'failed-precondition'],
  [/memory limit (?:could be )?too low|cannot be mounted because it is /i, 'failed-precondition'],
  [/not running|not in `?created|is not stopped|stopped container|has stopped|already running|already started|exec\.fifo/i, 'failed-precondition'],
  [/seccomp|apparmor|selinux/i, 'failed-precondition'],
  [/no such (process|file|program)|executable file|not found|permission denied|operation not permitted|exec format error|not a directory/i, 'failed-precondition'],
];

/**
 * The sentence that says what went wrong. crun prints plain lines; runc prints logrus text or JSON records, of which only
 * errors count when there are any; conmon puts `[conmon:e]: ` in front. Control characters are dropped: a part of the
 * text can come from an image.
 */
export function sentenceOf(stderr: string): string {
  const lines = stderr.split('\n').map(parseLine).filter((line) => line.text !== '');
  const errors = lines.filter((line) => line.level === 'error');
  const telling = errors.length > 0 ? errors : lines;
  const sentence = telling.map((line) => line.text).join('; ');
  return sentence.length > maxSentence ? `${sentence.slice(0, maxSentence)}…` : sentence;
}

interface Line {
  /** `plain` is a line without a level, as crun prints. */
  readonly level: 'error' | 'lesser' | 'plain';
  readonly text: string;
}

function parseLine(raw: string): Line {
  // eslint-disable-next-line no-control-regex
  const line = raw.replace(/[\x00-\x1f\x7f]/g, ' ').trim();
  const logrus = /\blevel=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+)/.exec(line);
  if (logrus !== null) return { level: levelOf(logrus[1]!), text: unquote(logrus[2]!) };
  if (line.startsWith('{')) {
    const record = parseRecord(line);
    if (record !== undefined) return record;
  }
  const conmon = /^\[conmon:([a-z])\]: (.*)$/.exec(line);
  if (conmon !== null) return { level: conmon[1] === 'e' ? 'error' : 'lesser', text: conmon[2]! };
  return { level: 'plain', text: line };
}

function parseRecord(line: string): Line | undefined {
  try {
    const record = JSON.parse(line) as { level?: unknown; msg?: unknown };
    if (typeof record.msg !== 'string') return undefined;
    return { level: typeof record.level === 'string' ? levelOf(record.level) : 'plain', text: record.msg };
  } catch {
    return undefined; // a plain line that happens to begin with a brace
  }
}

function levelOf(word: string): Line['level'] {
  return word === 'error' || word === 'fatal' || word === 'panic' ? 'error' : 'lesser';
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.slice(1, -1); // Go quotes a few bytes (\x1b) in a way that JSON does not know
  }
}

/** The kind that a runtime's sentence stands for. */
export function kindOfSentence(sentence: string): ErrorKind {
  return kinds.find(([pattern]) => pattern.test(sentence))?.[1] ?? 'internal';
}

export interface RuntimeFailureDetail {
  readonly act: string;
  readonly id: string;
  /** Handler name, for the message. */
  readonly runtime: string;
  readonly stderr: string;
  readonly code: number;
}

/** The error for a runtime call that failed; its message ends in the runtime's own sentence. */
export function runtimeFailure(detail: RuntimeFailureDetail): GantryError {
  const sentence = sentenceOf(detail.stderr);
  const why = sentence === '' ? `exit code ${detail.code} and no message` : `${sentence}${cannotMapOwners.test(sentence) ? ' (the filesystem cannot map owners: a pod with a user namespace cannot use this volume)' : ''}`;
  return failure(kindOfSentence(sentence), { act: detail.act, object: detail.id, why: `${detail.runtime}: ${why}` });
}
