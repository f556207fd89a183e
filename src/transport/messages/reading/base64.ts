// Reads bytes in JSON (RFC 4648): either alphabet, with or without padding, and otherwise in one spelling only.

/** The bytes; undefined for mixed alphabets, spaces, padding before the end, or unused bits that are not zero. */
export function decodeBase64(text: string): Buffer | undefined {
  const encoding = text.includes('-') || text.includes('_') ? 'base64url' : 'base64';
  const bytes = Buffer.from(text, encoding);
  const spelling = bytes.toString(encoding);
  const padded = encoding === 'base64' ? spelling : spelling + '='.repeat((4 - (spelling.length % 4)) % 4);
  return text === padded || text === padded.replace(/=+$/, '') ? bytes : undefined;
}
