/** `gantry registry`: whom a pull would ask and what it would want to see signed, read from the same files as the daemon reads. */
import { parseCommandLine } from '../base/config/flags-layer.ts';
import type { CommandLine } from '../base/config/flags-layer.ts';
import { readConfig } from '../base/config/load.ts';
import { suggestion } from '../base/config/nearest.ts';
import { messageOf } from '../base/errors.ts';
import { planPull, readRegistryView } from '../part/registry/pull-plan.ts';
import type { PullPlan, PullSource } from '../part/registry/pull-plan.ts';
import { formatReference } from '../part/registry/reference.ts';
import { candidatesOf } from '../part/registry/short-name.ts';
import { describeTrust } from './describe-trust.ts';
import { exitCode, refuse } from './program.ts';
import type { ProgramIo } from './program.ts';
import { registryFiles, trustFiles } from './registry-files.ts';

export const registrySubcommands = ['explain'] as const;

const registryHelp = `Tells whom a pull of an image would ask, in which order, why, and with what credentials, and what signatures it would want. Nothing is contacted, no secret is shown.

Usage: gantry registry explain IMAGE [FLAG]...

It takes the flags of gantry serve and reads the same files and environment, so run it as the daemon's user:

  gantry registry explain busybox:1.36
  gantry registry explain registry.example/app@sha256:... --registries-conf ./registries.conf
`;

export async function registryCommand(argv: readonly string[], io: ProgramIo): Promise<number> {
  const line = parseCommandLine(argv);
  if (line.help) {
    io.stdout.write(registryHelp);
    return exitCode.ok;
  }
  const [subcommand, image, ...tooMany] = line.operands;
  const problems = [...line.problems, ...tooMany.map((operand) => `one word too many: ${operand}`)];
  if (subcommand === undefined) problems.push('registry wants explain and an image');
  else if (subcommand !== 'explain') problems.push(`unknown command registry ${subcommand}${suggestion(subcommand, registrySubcommands)}`);
  else if (image === undefined) problems.push('registry explain wants an image');
  if (problems.length > 0 || image === undefined) return refuse(io, problems, 'registry');
  return await explain(line, image, io);
}

async function explain(line: CommandLine, image: string, io: ProgramIo): Promise<number> {
  const { problems, warnings, loaded } = await readConfig({ ...line, environment: io.environment });
  for (const text of [...warnings.map((warning) => `warning: ${warning}`), ...problems]) io.stderr.write(`${text}\n`);
  if (loaded === undefined) return exitCode.failure;
  try {
    const view = await readRegistryView(registryFiles(loaded.config));
    const candidates = candidatesOf(image, view.conf);
    for (const [index, reference] of candidates.entries()) {
      if (index > 0) io.stdout.write('\nand if that is not found:\n');
      io.stdout.write(describePlan(await planPull(reference, undefined, view)));
      io.stdout.write(await describeTrust(trustFiles(loaded.config), reference));
    }
    return exitCode.ok;
  } catch (error) {
    io.stderr.write(`gantry: ${messageOf(error)}\n`);
    return exitCode.failure;
  }
}

/** A plan for people: the complete name, and under it each host in the order of asking. */
export function describePlan({ reference, sources }: PullPlan): string {
  return [formatReference(reference), ...sources.map((source, index) => describeSource(source, index + 1))].join('\n') + '\n';
}

function describeSource(source: PullSource, position: number): string {
  const { endpoint, because } = source;
  const [scheme = 'https'] = endpoint.rule.schemes;
  const url = `${scheme}://${endpoint.address}${endpoint.apiPath ?? '/v2'}/${endpoint.repository}`;
  const facts = [['why', because], ['asked for', servesOf(source)], ['trust', trustOf(source)], ['credentials', credentialsOf(source)]] as const;
  return [`${position}. ${url}`, ...facts.map(([name, text]) => `     ${name.padEnd(12)} ${text}`)].join('\n');
}

function servesOf({ serves }: PullSource): string {
  if (serves.tags && serves.digests) return 'tags and digests';
  return serves.tags ? 'tags only' : 'digests only';
}

function trustOf({ endpoint: { rule } }: PullSource): string {
  const [first, second] = rule.schemes;
  if (first === 'http') return 'none: plain HTTP';
  const authorities = rule.skipVerify === true ? 'any certificate' : ["the system's authorities", ...(rule.caFiles ?? [])].join(' and ');
  const shown = (rule.clientCertificates ?? []).map(({ certFile }) => `; shows ${certFile}`).join('');
  return `${authorities}${second === 'http' ? ', or plain HTTP where it speaks no TLS' : ''}${shown}`;
}

function credentialsOf({ credentials, credentialsFrom }: PullSource): string {
  if (credentials.kind === 'anonymous') return 'none on this node; those that the kubelet sends would be used';
  const what = credentials.kind === 'basic' ? `user ${JSON.stringify(credentials.username)}` : credentials.kind.replace('-', ' ');
  return `${what} from ${credentialsFrom}, unless the kubelet sends some`;
}
