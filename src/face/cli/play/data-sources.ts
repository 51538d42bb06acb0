/** The ConfigMaps and Secrets of the manifest, as pods refer to them. */
import type { DataObject, Manifest } from './manifest.ts';

export type DataKind = 'configMap' | 'secret';

/** The object of that kind and name in the namespace; undefined when the manifest has none. */
export type DataSources = (kind: DataKind, namespace: string, name: string) => DataObject | undefined;

export function dataSources(manifest: Manifest): DataSources {
  return (kind, namespace, name) =>
    (kind === 'configMap' ? manifest.configMaps : manifest.secrets).find((one) => one.namespace === namespace && one.name === name);
}
