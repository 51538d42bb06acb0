/** Names of the Container Device Interface: `vendor.com/class=device`. */

export interface DeviceName {
  /** `vendor.com/class`. */
  readonly kind: string;
  readonly device: string;
}

// Vendor and class begin with a letter, a device with a digit too; each ends with a letter or digit.
const vendorOrClass = /^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const deviceForm = /^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$/;
const longestVendor = 253; // a DNS subdomain
const longestClass = 63;

/** What a fully qualified name names; undefined when it is not one. */
export function parseDeviceName(text: string): DeviceName | undefined {
  const equals = text.indexOf('=');
  const [kind, device] = [text.slice(0, equals), text.slice(equals + 1)];
  return equals > 0 && isKind(kind) && isDeviceName(device) ? { kind, device } : undefined;
}

/** Whether a text is `vendor/class`. */
export function isKind(text: string): boolean {
  const [vendor = '', name = '', ...more] = text.split('/');
  return more.length === 0 && vendor.length <= longestVendor && name.length <= longestClass && vendorOrClass.test(vendor) && vendorOrClass.test(name);
}

/** Whether a text can name a device within its kind. */
export function isDeviceName(text: string): boolean {
  return deviceForm.test(text);
}
