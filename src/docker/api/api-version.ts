/** Versions of the Engine's API: `1.41` is that of Docker 20.10, the oldest that we speak. */
import { failure } from '../../base/errors.ts';

export type ApiVersion = `${number}.${number}`;

export const oldestApi: ApiVersion = '1.41';
/** The newest whose answers we know; a newer Engine is asked in this one. */
export const newestApi: ApiVersion = '1.51';

export function isAtLeast(version: ApiVersion, least: ApiVersion): boolean {
  const [major, minor] = partsOf(version);
  const [leastMajor, leastMinor] = partsOf(least);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** What the Engine says of itself without being asked in any version (GET /version). */
export interface EngineIdentity {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
}

/** The version to speak with this Engine. Too old, or so new that it does not speak ours any more: failed-precondition. */
export function negotiate({ Version, ApiVersion, MinAPIVersion }: EngineIdentity): ApiVersion {
  const refuse = (why: string): Error => failure('failed-precondition', { act: 'use Docker Engine', object: Version, why });
  if (!isVersion(ApiVersion)) throw refuse(`it does not say which API it speaks (${JSON.stringify(ApiVersion)})`);
  if (!isAtLeast(ApiVersion, oldestApi)) throw refuse(`it speaks API ${ApiVersion}, and gantry needs ${oldestApi} or newer: update it to Docker 20.10 or newer, or take engine = "native"`);
  if (MinAPIVersion !== undefined && isVersion(MinAPIVersion) && !isAtLeast(newestApi, MinAPIVersion)) {
    throw refuse(`it speaks API ${MinAPIVersion} and newer only, and this gantry knows up to ${newestApi}: update gantry`);
  }
  return isAtLeast(ApiVersion, newestApi) ? newestApi : ApiVersion;
}

function isVersion(text: string): text is ApiVersion {
  return /^\d+\.\d+$/.test(text);
}

function partsOf(version: ApiVersion): [major: number, minor: number] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return [major, minor];
}
