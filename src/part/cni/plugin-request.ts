/** What a plugin reads on its standard input (CNI spec section 3, "Deriving request configuration"). */
import type { AttachmentKey, CapabilityArguments } from './attachment.ts';
import type { RawResult } from './cni-result.ts';
import type { CniVersion } from './cni-version.ts';
import type { PluginConfig } from './network-config.ts';

export interface RequestParts {
  readonly plugin: PluginConfig;
  readonly networkName: string;
  readonly version: CniVersion;
  /** For ADD, DEL and CHECK. */
  readonly capabilities?: CapabilityArguments;
  readonly prevResult?: RawResult | undefined;
  /** For GC. */
  readonly validAttachments?: readonly AttachmentKey[];
}

export function requestText({ plugin, networkName, version, capabilities, prevResult, validAttachments }: RequestParts): string {
  const runtimeConfig = capabilities === undefined ? undefined : declaredOnly(plugin, capabilities);
  return JSON.stringify({
    ...plugin.config,
    name: networkName,
    cniVersion: version,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...(prevResult === undefined ? {} : { prevResult }),
    ...(validAttachments === undefined ? {} : gcKeys(validAttachments)),
  });
}

/** The capability arguments that this plugin declares; undefined when there are none, so that a `runtimeConfig` in the file survives. */
function declaredOnly(plugin: PluginConfig, capabilities: CapabilityArguments): Record<string, unknown> | undefined {
  const entries = plugin.capabilities.map((capability) => [capability, capabilities[capability]] as const).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The spec's key, and the one that the CNI library wrote when the spec was new and that plugins of that time read. */
function gcKeys(valid: readonly AttachmentKey[]): Record<string, unknown> {
  const attachments = valid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }));
  return { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments };
}
