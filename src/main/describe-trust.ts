import { readName, trustedName } from '../native/image/check-policy.ts';
import type { TrustFiles } from '../native/image/check-policy.ts';
import type { ImageReference } from '../part/registry/reference.ts';
import type { ImageName } from '../part/trust/image-name.ts';
import { chooseScope, readPolicy } from '../part/trust/policy.ts';
import type { KeySource, Requirement } from '../part/trust/policy.ts';
import { findSignatureStores } from '../part/trust/signature-stores.ts';

/** For people: the part of the signature policy that is about an image, and where its signatures would be looked for. Errors: those of reading the files. */
export async function describeTrust(files: TrustFiles, reference: ImageReference): Promise<string> {
  const policy = await readPolicy(files.policy, readName);
  if (policy === undefined) return `signatures: none wanted, as there is no ${files.policy.path}\n`;
  const name = trustedName(reference);
  const { scope, requirements } = chooseScope(policy, name);
  const lines = await Promise.all(requirements.map(async (requirement, index) => `${index + 1}. ${await describeRequirement(requirement, { files, name })}`));
  return [`signatures: by ${scope} in ${policy.file}, all of`, ...lines].join('\n') + '\n';
}

async function describeRequirement(requirement: Requirement, { files, name }: { files: TrustFiles; name: ImageName }): Promise<string> {
  switch (requirement.type) {
    case 'insecureAcceptAnything':
      return 'insecureAcceptAnything: no signature is wanted';
    case 'reject':
      return 'reject: it is never pulled';
    case 'unsupported':
      return `${requirement.requirement}: it is never pulled, as ${requirement.what}`;
    case 'signedBy':
    case 'sigstoreSigned':
      return [
        `${requirement.type}: one signature of the manifest`,
        ...[['keys', keysOf(requirement.keys)], ['signed as', requirement.identity.rule], ['found in', await placeOf(requirement.type, { files, name })]].map(([what, text]) => `     ${what!.padEnd(12)} ${text}`),
      ].join('\n');
  }
}

function keysOf({ paths, datas }: KeySource): string {
  return paths.length > 0 ? paths.join(' or ') : `${datas.length} in the policy itself`;
}

async function placeOf(type: 'signedBy' | 'sigstoreSigned', { files, name }: { files: TrustFiles; name: ImageName }): Promise<string> {
  const { lookaside, lookasideFrom, attachments } = await findSignatureStores(files.signatureStores, name);
  if (type === 'signedBy') return `${lookaside.href} (${lookasideFrom ?? `the usual place, as ${files.signatureStores} names none`})`;
  return attachments ? `tags sha256-….sig of ${name.name}` : `nothing: use-sigstore-attachments is not on for it in ${files.signatureStores}`;
}
