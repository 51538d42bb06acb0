/** Which spec version a network is used with (CNI spec section 1, "Version considerations"). */
import type { CniVersion } from './cni-version.ts';
import type { NetworkConfig } from './network-config.ts';
import { parseAnswer } from './plugin-runner.ts';
import type { PluginCall, PluginRunner } from './plugin-runner.ts';

export interface VersionChoice {
  readonly version: CniVersion;
  /** False when a plugin could not be asked, so that asking again later may give another answer. */
  readonly settled: boolean;
}

const askDeadlineMs = 5_000;

/**
 * The highest version that the configuration, Gantry and every plugin speak. A configuration that leaves no choice is
 * taken at its word without asking anybody; so is its highest one when the plugins' answers leave nothing.
 */
export async function chooseVersion(network: NetworkConfig, runPlugin: PluginRunner): Promise<VersionChoice> {
  const highest = network.versions[0]!;
  if (network.versions.length === 1) return { version: highest, settled: true };
  const types = [...new Set(network.plugins.map((plugin) => plugin.type))];
  const answers = await Promise.all(types.map((type) => supportedVersions({ type, network, version: highest }, runPlugin)));
  const version = network.versions.find((candidate) => answers.every((answer) => answer === undefined || answer.includes(candidate)));
  return { version: version ?? highest, settled: !answers.includes(undefined) };
}

/** Undefined when the plugin is not there or does not answer sensibly; using it will tell why. */
async function supportedVersions({ type, network, version }: { type: string; network: NetworkConfig; version: CniVersion }, runPlugin: PluginRunner): Promise<readonly unknown[] | undefined> {
  const call: PluginCall = { verb: 'VERSION', type, networkName: network.name, request: JSON.stringify({ cniVersion: version }), deadlineMs: askDeadlineMs };
  try {
    const { supportedVersions: supported } = (parseAnswer(call, await runPlugin(call)) ?? {}) as { supportedVersions?: unknown };
    return Array.isArray(supported) ? supported : undefined;
  } catch {
    return undefined;
  }
}
