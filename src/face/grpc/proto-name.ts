/** Fields that the CRI's proto does not write in its own style. */
const ownStyle: Readonly<Record<string, string>> = { CDIDevices: 'CDI_devices', uidMappings: 'uidMappings', gidMappings: 'gidMappings' };

/** A field as the CRI's proto spells it, from its name in the generated messages: `runAsUser` is `run_as_user`. */
export function protoName(key: string): string {
  return ownStyle[key] ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
