// Rejections: a reason of the closed list, a sentence for people, and metadata; as a value, and as an exception.

import { type ErrorReason, type MetadataArgument, remedyFor } from './reasons.ts';

// Other rooms import the reasons from here, together with the rejections that have them.
export { type ErrorReason, REASONS, remedyFor } from './reasons.ts';

/** What is wrong with one field of a request. */
export interface FieldViolation {
  /** The field as the proto spells it: `exec_act`, `items[3].request`. */
  readonly field: string;
  readonly description: string;
}

/** A reason, a sentence for people, and metadata. What the rules of the core return when they reject. */
export interface Rejection<R extends ErrorReason = ErrorReason> {
  readonly reason: R;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Every field that is wrong, where a request was rejected and not only its first fault is known. */
  readonly violations?: readonly FieldViolation[];
  /** What to do about it, where that is another step than the one that the reason has. */
  readonly remedy?: string;
}

/**
 * Makes a rejection. The compiler demands the metadata that belongs to the reason, and allows no other. Texts may be a peer's: they
 * leave in trailers, of which some clients accept 8 KiB in all, so they are cut here, once for all.
 */
export function reject<R extends ErrorReason>(
  reason: R,
  message: string,
  ...[metadata]: MetadataArgument<R>
): Rejection<R> {
  return {
    reason,
    message: cutText(message, MAX_MESSAGE_BYTES),
    metadata: metadata === undefined ? {} : cutMetadata(metadata),
  };
}

const MAX_MESSAGE_BYTES = 512;
const MAX_METADATA_VALUE_BYTES = 256;

function cutMetadata(metadata: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const known = Object.entries(metadata).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, cutText(value, MAX_METADATA_VALUE_BYTES)]));
}

/** The text as well-formed Unicode of so many bytes of UTF-8 at most. */
function cutText(text: string, maxBytes: number): string {
  // No UTF-16 code unit takes more than three bytes.
  if (3 * text.length <= maxBytes) return text.toWellFormed();
  const bytes = Buffer.from(text.slice(0, maxBytes + 1));
  if (bytes.length <= maxBytes) return bytes.toString();
  let end = maxBytes - ELLIPSIS_BYTES;
  while (isContinuation(bytes[end])) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}

const ELLIPSIS_BYTES = 3;

/** More than any request of ours, but a batch, has fields that can be wrong at once. */
export const MAX_VIOLATIONS = 16;
const MAX_FIELD_BYTES = 128;
const MAX_DESCRIPTION_BYTES = 256;
/** Of all violations: as base64 they share a trailer with the message and the metadata. */
const MAX_VIOLATION_BYTES = 3_072;

/** The first violations that there is room for. */
function cutViolations(violations: readonly FieldViolation[]): readonly FieldViolation[] {
  const kept: FieldViolation[] = [];
  let left = MAX_VIOLATION_BYTES;
  for (const violation of violations.slice(0, MAX_VIOLATIONS)) {
    const field = cutText(violation.field, MAX_FIELD_BYTES);
    const description = cutText(violation.description, MAX_DESCRIPTION_BYTES);
    left -= Buffer.byteLength(field) + Buffer.byteLength(description);
    if (left < 0) break;
    kept.push({ field, description });
  }
  return kept;
}

/** Whether a byte of UTF-8 belongs to a character that began before it. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** The first rejection, which gives the reason, with the field violations of all of them. */
export function rejectAll(
  rejections: readonly [Rejection, ...Rejection[]],
  fieldOf: (rejection: Rejection) => string,
): Rejection {
  const [first] = rejections;
  const violations = rejections.flatMap(
    (rejection) => rejection.violations ?? [{ field: fieldOf(rejection), description: rejection.message }],
  );
  const message = rejections.map((rejection) => rejection.message).join(' ');
  return { ...first, message: cutText(message, MAX_MESSAGE_BYTES), violations: cutViolations(violations) };
}

/** The path of a field within another one: `items[3]` and `request.aud` are `items[3].request.aud`. */
function joinPaths(outer: string, inner: string): string {
  return inner === '' ? outer : `${outer}.${inner}`;
}

/** What a caller can do about a rejection. */
export function remedyOf({ reason, remedy }: Pick<Rejection, 'reason' | 'remedy'>): string {
  return remedy ?? remedyFor(reason);
}

const NO_VIOLATIONS: readonly FieldViolation[] = [];

/** A rejection as an exception. `cause` is for the service's own events and never leaves it. */
export class EctError extends Error {
  override readonly name = 'EctError';
  readonly reason: ErrorReason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly remedy: string;

  constructor(rejection: Rejection, options?: ErrorOptions) {
    super(cutText(rejection.message, MAX_MESSAGE_BYTES), options);
    this.reason = rejection.reason;
    this.metadata = cutMetadata(rejection.metadata);
    this.violations = cutViolations(rejection.violations ?? NO_VIOLATIONS);
    this.remedy = remedyOf(rejection);
  }

  /** The same error of a message that stands at this path in the request: its fields are named from the outside. */
  within(path: string): EctError {
    const { field } = this.metadata;
    if (field === undefined && this.violations.length === 0) return this;
    return new EctError(
      {
        ...this.rejection,
        metadata: field === undefined ? this.metadata : { ...this.metadata, field: joinPaths(path, field) },
        violations: this.violations.map((violation) => ({ ...violation, field: joinPaths(path, violation.field) })),
      },
      this.cause === undefined ? {} : { cause: this.cause },
    );
  }

  /** The same rejection as a value. */
  get rejection(): Rejection {
    const { reason, message, metadata, violations, remedy } = this;
    return {
      reason,
      message,
      metadata,
      ...(violations.length === 0 ? {} : { violations }),
      ...(remedy === remedyFor(reason) ? {} : { remedy }),
    };
  }
}
