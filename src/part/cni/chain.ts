/** One verb over the plugins of a network (CNI spec section 3, "Adding an attachment" and what follows it). */
import { failure } from '../../base/errors.ts';
import type { Stages } from '../../base/stages.ts';
import { argsText } from './attachment.ts';
import type { Attachment, AttachmentKey } from './attachment.ts';
import { asRawResult } from './cni-result.ts';
import type { RawResult } from './cni-result.ts';
import { atLeast } from './cni-version.ts';
import type { CniVersion } from './cni-version.ts';
import type { NetworkConfig, PluginConfig } from './network-config.ts';
import { requestText } from './plugin-request.ts';
import type { RequestParts } from './plugin-request.ts';
import { callFailure, cniCodeOf, parseAnswer } from './plugin-runner.ts';
import type { CniVerb, PluginCall, PluginRunner } from './plugin-runner.ts';

/** A network in the version that it is used with, and what runs its plugins. */
export interface Chain {
  readonly network: NetworkConfig;
  readonly version: CniVersion;
  readonly runPlugin: PluginRunner;
}

/** What a caller may bring along. */
export interface CniCall {
  readonly signal?: AbortSignal;
  /** Gets a stage for each plugin, like `cni add bridge`. */
  readonly stages?: Stages;
}

/** Code that a plugin answers for a container it does not know: on DEL there is then nothing to do. */
const UNKNOWN_CONTAINER = 3;
/** Code of plugins for a verb they do not know (they find CNI_COMMAND wrong): such a plugin has no STATUS and no GC. */
const INVALID_ENVIRONMENT = 4;

const statusDeadlineMs = 5_000;

/** ADD, each plugin with the result of the one before. An aborted signal is heeded between plugins, never within one. */
export async function addChain(chain: Chain, attachment: Attachment, { signal, stages }: CniCall): Promise<RawResult> {
  let prevResult: RawResult | undefined;
  for (const plugin of chain.network.plugins) {
    if (signal?.aborted === true) throw failure('cancelled', { act: 'add to network', object: chain.network.name, why: 'the caller went away' });
    const call = attachmentCall('ADD', { chain, plugin, attachment, prevResult });
    const stdout = await staged(stages, call, () => chain.runPlugin(call));
    prevResult = readAnswer(call, stdout, chain.version);
  }
  return prevResult!;
}

/** DEL in reverse order. The first failure ends it: the spec wants the whole list again later. */
export async function delChain(chain: Chain, attachment: Attachment, { prevResult, stages }: { prevResult: RawResult | undefined; stages?: Stages | undefined }): Promise<void> {
  const passed = atLeast(chain.version, '0.4.0') ? prevResult : undefined;
  for (const plugin of chain.network.plugins.toReversed()) {
    const call = attachmentCall('DEL', { chain, plugin, attachment, prevResult: passed });
    await tolerating(UNKNOWN_CONTAINER, () => staged(stages, call, () => chain.runPlugin(call)));
  }
}

/** CHECK; the first failure ends it. */
export async function checkChain(chain: Chain, attachment: Attachment, { prevResult, signal }: { prevResult: RawResult; signal: AbortSignal | undefined }): Promise<void> {
  for (const plugin of chain.network.plugins) {
    await chain.runPlugin({ ...attachmentCall('CHECK', { chain, plugin, attachment, prevResult }), signal });
  }
}

/** STATUS; the first plugin that is not ready ends it. A plugin that does not know the verb is ready. */
export async function statusChain(chain: Chain): Promise<void> {
  for (const plugin of chain.network.plugins) {
    await tolerating(INVALID_ENVIRONMENT, () => chain.runPlugin({ ...networkCall('STATUS', chain, plugin), deadlineMs: statusDeadlineMs }));
  }
}

/** GC of every plugin, whatever the others say; returns what failed. */
export async function gcChain(chain: Chain, validAttachments: readonly AttachmentKey[]): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (const plugin of chain.network.plugins) {
    try {
      await tolerating(INVALID_ENVIRONMENT, () => chain.runPlugin(networkCall('GC', chain, plugin, { validAttachments })));
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}

interface AttachmentCallParts {
  readonly chain: Chain;
  readonly plugin: PluginConfig;
  /** With an empty `netnsPath` when the namespace is gone: CNI_NETNS is left out then. */
  readonly attachment: Attachment;
  readonly prevResult: RawResult | undefined;
}

function attachmentCall(verb: CniVerb, { chain, plugin, attachment, prevResult }: AttachmentCallParts): PluginCall {
  const args = argsText(attachment.args);
  return {
    ...networkCall(verb, chain, plugin, { capabilities: attachment.capabilities, prevResult }),
    env: {
      CNI_CONTAINERID: attachment.containerId,
      CNI_IFNAME: attachment.ifName,
      ...(attachment.netnsPath === '' ? {} : { CNI_NETNS: attachment.netnsPath }),
      ...(args === '' ? {} : { CNI_ARGS: args }),
    },
  };
}

function networkCall(verb: CniVerb, { network, version }: Chain, plugin: PluginConfig, parts: Partial<RequestParts> = {}): PluginCall {
  return { verb, type: plugin.type, networkName: network.name, request: requestText({ ...parts, plugin, networkName: network.name, version }) };
}

function readAnswer(call: PluginCall, stdout: string, version: CniVersion): RawResult {
  const answer = parseAnswer(call, stdout);
  try {
    return asRawResult(answer, version);
  } catch (cause) {
    throw callFailure(call, 'internal', { cause });
  }
}

async function tolerating(code: number, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (cniCodeOf(error) !== code) throw error;
  }
}

async function staged<T>(stages: Stages | undefined, call: PluginCall, work: () => Promise<T>): Promise<T> {
  return stages === undefined ? work() : stages.run(`cni ${call.verb.toLowerCase()} ${call.type}`, work);
}
