import { arch, release } from 'node:os';
import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { apiVersions, newestVersion } from '../routes.ts';

/** Agents take the version for Docker's and refuse what is older than they know: it is that of the Docker whose API this is, with Gantry's own behind it. */
export function dockerVersion(gantry: string): string {
  return `25.0.0+gantry.${gantry}`;
}

/** As Go names architectures. */
const goNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export function goArchitecture(): string {
  return goNames[arch()] ?? arch();
}

export const version: Endpoint = {
  route: 'GET /version',
  answer: (call) => json({
    Platform: { Name: 'Gantry' },
    Components: [{ Name: 'Engine', Version: dockerVersion(call.version), Details: { ApiVersion: newestVersion, MinAPIVersion: `1.${apiVersions.oldest}`, Os: 'linux', Arch: goArchitecture(), KernelVersion: release(), Gantry: call.version, GitCommit: '', GoVersion: '', BuildTime: '', Experimental: 'false' } }],
    Version: dockerVersion(call.version),
    ApiVersion: newestVersion,
    MinAPIVersion: `1.${apiVersions.oldest}`,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: goArchitecture(),
    KernelVersion: release(),
    BuildTime: '',
  }),
};
