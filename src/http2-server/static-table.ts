// The static table of HPACK (RFC 7541, appendix A), numbered from 1.

const VALUED: Readonly<Record<string, readonly string[]>> = {
  ':authority': [''],
  ':method': ['GET', 'POST'],
  ':path': ['/', '/index.html'],
  ':scheme': ['http', 'https'],
  ':status': ['200', '204', '206', '304', '400', '404', '500'],
  'accept-charset': [''],
  'accept-encoding': ['gzip, deflate'],
};

/** The names without a value, in order. */
const NAMES =
  'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
  'content-disposition content-encoding content-language content-length content-location content-range content-type ' +
  'cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since ' +
  'last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after ' +
  'server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate';

const entries = [
  ...Object.entries(VALUED).flatMap(([name, values]) => values.map((value) => [name, value] as const)),
  ...NAMES.split(' ').map((name) => [name, ''] as const),
];

/** The size of the table; the first entry of the dynamic table has the next number. */
export const STATIC_ENTRIES = 61;
if (entries.length !== STATIC_ENTRIES) throw new TypeError('the static table is incomplete');

/** Names by number; number 0 is unused. */
export const STATIC_NAMES: readonly string[] = ['', ...entries.map(([name]) => name)];
export const STATIC_VALUES: readonly string[] = ['', ...entries.map(([, value]) => value)];
