/** Signatures come from whoever may write to a store or repository: what is looked at of them is bounded. */

/** Of one manifest, of each kind. More is an attempt to keep us busy. */
export const mostSignatures = 128;

/** Of one signature, or of what it signs: a name, a digest, and what the signer adds. */
export const largestSignature = 64 * 1024;
