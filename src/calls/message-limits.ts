// Maximum sizes of messages. Requests are rejected before they are buffered completely, responses before any work for them.

// The port rejects a larger one as a token with it is rejected.
export { MAX_EXT_BYTES } from '../token/index.ts';

/** One token and its options. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Batches and bundles. */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Items of a batch. */
export const MAX_BATCH_ITEMS = 1000;
/** Predecessor tokens of one token. */
export const MAX_HANDED_ALONG = 100;
/** Tokens that are verified separately. */
export const MAX_BUNDLE_TOKENS = 10_000;
/** Entries of the ledger, or keys, on one page. */
export const MAX_PAGE_ENTRIES = 1000;
export const MAX_PAGE_KEYS = 500;
/** A request id, or the reference of an item. */
export const MAX_NAME_BYTES = 128;
/** `ect_ext_json`, with spaces; the limit of 4,096 bytes is for the compact form. So long a text and its claims fit into a token of 16 KiB. */
export const MAX_EXT_TEXT_CHARACTERS = 10_240;
/** A `jti` or `wid` that is looked up: the longest that any token may have, since the ledger may have tasks of an earlier configuration. */
export const MAX_LOOKUP_ID_CHARACTERS = 256;
/** The name of a key in the key management service. */
export const MAX_KEY_NAME_CHARACTERS = 2_048;
/** The note of an administrator about a change. */
export const MAX_NOTE_CHARACTERS = 256;
/** A response: the default limit of gRPC clients. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/**
 * Fields, list elements and map entries of a message, or of one item of a batch. The largest valid message has 10,000 tokens. Reading
 * this many takes about 10 ms at most.
 */
export const MAX_VALUES = 16_384;
/**
 * Lists and objects in the Structs of all items of a batch, or in its JSON. An empty object has three bytes in JSON and 56 in memory: without
 * this limit a message of 4 MiB would take 56 MiB. A thousand items may each have more of them than an extension object needs.
 */
export const MAX_BATCH_OBJECTS = 262_144;
/** Nested messages, or nested brackets. The generated codec has the same limit. */
export const MAX_DEPTH = 100;
/**
 * How many times as large as its compressed form a message may be. A batch of 1,000 items that are equal but for their references and share
 * an `ect_ext` of 3 KB is 144 times as large as its gzip form; no realistic request had a higher ratio. Deflate reaches 1,032.
 */
export const MAX_RATIO = 200;
